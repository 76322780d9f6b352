/**
 * Bowed strings and winds: a tone for as long as the note lasts, with the partials, the attack and the vibrato that tell
 * one from the other. Not a likeness; enough to follow each voice by ear.
 */

import { frequencyOf, hush } from "./piano.js";

const BRIGHTEST = 12_000;
const LEAST_SECONDS = 0.03;

/**
 * @typedef {object} Voice
 * @property {number[]} partials amplitudes
 * @property {number} attack seconds
 * @property {number} release seconds
 * @property {{rate: number, cents: number}} vibrato
 * @property {number} brightness partials that a full-blown tone lets through
 * @property {number} level
 */

const BOWED = [1, 0.62, 0.5, 0.3, 0.34, 0.2, 0.16, 0.17, 0.1, 0.09, 0.08, 0.05, 0.05, 0.04, 0.03, 0.03];
const STRINGS = { partials: BOWED, attack: 0.06, release: 0.09, level: 0.2 };

/** By General MIDI program. @type {{[program: number]: Voice}} */
export const VOICES = {
  40: { ...STRINGS, vibrato: { rate: 5.8, cents: 14 }, brightness: 14 },
  41: { ...STRINGS, vibrato: { rate: 5.4, cents: 13 }, brightness: 10 },
  42: { ...STRINGS, vibrato: { rate: 5.1, cents: 12 }, brightness: 11, attack: 0.07 },
  43: { ...STRINGS, vibrato: { rate: 4.6, cents: 7 }, brightness: 9, attack: 0.09, level: 0.24 },
  60: { partials: [1, 0.8, 0.55, 0.36, 0.22, 0.13, 0.08, 0.05, 0.03], attack: 0.05, release: 0.08, vibrato: { rate: 4, cents: 0 }, brightness: 6, level: 0.22 },
  68: { partials: [0.5, 0.8, 1, 0.75, 0.45, 0.3, 0.22, 0.14, 0.1, 0.06, 0.04], attack: 0.03, release: 0.05, vibrato: { rate: 5.2, cents: 8 }, brightness: 12, level: 0.17 },
  70: { partials: [0.5, 0.9, 1, 0.85, 0.55, 0.36, 0.25, 0.15, 0.1, 0.07, 0.04], attack: 0.035, release: 0.05, vibrato: { rate: 4.8, cents: 5 }, brightness: 9, level: 0.2 },
  71: { partials: [1, 0.04, 0.7, 0.06, 0.42, 0.09, 0.24, 0.1, 0.14, 0.08, 0.07, 0.04, 0.03], attack: 0.03, release: 0.05, vibrato: { rate: 4, cents: 0 }, brightness: 10, level: 0.2 },
  73: { partials: [1, 0.36, 0.12, 0.05, 0.025, 0.01], attack: 0.045, release: 0.06, vibrato: { rate: 5, cents: 10 }, brightness: 8, level: 0.22 },
};

export class Sustained {
  /** @param {BaseAudioContext} context @param {AudioNode} output @param {Voice} voice */
  constructor(context, output, voice) {
    this._context = context;
    this._output = output;
    this._voice = voice;
    const imag = Float32Array.from([0, ...voice.partials]);
    this._wave = new PeriodicWave(context, { real: new Float32Array(imag.length), imag });
    // One for all notes: a player's hand.
    const swing = new OscillatorNode(context, { frequency: voice.vibrato.rate });
    this._vibrato = new GainNode(context, { gain: voice.vibrato.cents });
    swing.connect(this._vibrato);
    swing.start();
  }

  /** As `Strings.play`. */
  play({ pitch, velocity, start, end }) {
    const { attack, release, brightness, level: most } = this._voice;
    const force = velocity / 127;
    const last = Math.max(end, start + LEAST_SECONDS);
    const frequency = frequencyOf(pitch);
    const source = new OscillatorNode(this._context, { type: "custom", periodicWave: this._wave, frequency });
    this._vibrato.connect(source.detune);
    source.addEventListener("ended", () => this._vibrato.disconnect(source.detune));
    const colour = new BiquadFilterNode(this._context, { type: "lowpass", Q: 0.4, frequency: Math.min(BRIGHTEST, frequency * (1 + brightness * force)) });
    const level = new GainNode(this._context, { gain: 0 });
    level.gain.setTargetAtTime(most * force ** 1.2, start, attack / 3);
    level.gain.setTargetAtTime(0, last, release / 3);
    source.connect(colour).connect(level).connect(this._output);
    source.start(start);
    source.stop(last + 3 * release);
    return () => hush(source, level, this._context.currentTime);
  }
}

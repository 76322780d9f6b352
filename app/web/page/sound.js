/**
 * The way of the sound:
 *
 *     original --------------------------------> level -> meter -+-> limiter -> loudspeaker
 *     instrument -+-> saturation --------------> level -> meter -+
 *                 +-> room -+
 *
 * Nothing on the way of only one of the two takes time: together they are heard when they are played together.
 */

import { Ensemble, instrumentFor } from "./ensemble.js";
import { SteadyTone } from "./piano.js";

const INSTRUMENT_LEVEL = 0.7;
/** Sums of notes up to this times full scale are bent; below `STRAIGHT` nothing is. */
const HEADROOM = 4;
const STRAIGHT = 0.6;
const ROOM_LEVEL = 0.16;
const ROOM_SECONDS = 1.1;
const SATURATION_POINTS = 1025;

/** Opened by the first press of play: browsers let no page sound before. */
export class Sound {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    const limiter = new DynamicsCompressorNode(this.context, { threshold: -3, knee: 3, ratio: 20, attack: 0.002, release: 0.15 });
    limiter.connect(this.context.destination);
    this._original = channel(this.context, limiter);
    this._transcription = channel(this.context, limiter);
    const desk = instrumentDesk(this.context);
    desk.output.connect(this._transcription.level);
    this.instruments = {
      own: new Ensemble(this.context, desk.input, instrumentFor),
      tone: new Ensemble(this.context, desk.input, (_, context, output) => new SteadyTone(context, output)),
    };
    this._source = null;
  }

  /** Lead a recording through here instead of the one before. @param {HTMLMediaElement} element */
  attach(element) {
    if (this._source?.mediaElement === element) return;
    this._source?.disconnect();
    this._source = new MediaElementAudioSourceNode(this.context, { mediaElement: element });
    this._source.connect(this._original.level);
  }

  /** Equal power: no dip in the middle. @param {number} balance 0 original only, 1 transcription only */
  mix(balance) {
    const now = this.context.currentTime;
    this._original.level.gain.setTargetAtTime(Math.cos((balance * Math.PI) / 2), now, 0.02);
    this._transcription.level.gain.setTargetAtTime(Math.sin((balance * Math.PI) / 2), now, 0.02);
  }

  /** @param {Set<number>} programs that are not to be heard */
  hush(programs) {
    for (const ensemble of Object.values(this.instruments)) ensemble.hush(programs);
  }

  /** How loud each is just now, 0 to 1 over 60 dB. */
  levels() {
    return { original: this._original.read(), transcription: this._transcription.read() };
  }
}

/**
 * What the instruments play through: a small room, and a curve that bends instead of clipping where many notes add up.
 *
 * @param {BaseAudioContext} context
 * @returns {{input: AudioNode, output: AudioNode}}
 */
export function instrumentDesk(context) {
  const input = new GainNode(context, { gain: INSTRUMENT_LEVEL / HEADROOM });
  const room = new ConvolverNode(context, { buffer: roomOf(context), disableNormalization: true });
  const wet = new GainNode(context, { gain: ROOM_LEVEL });
  const output = new WaveShaperNode(context, { curve: saturation() });
  input.connect(output);
  input.connect(room).connect(wet).connect(output);
  return { input, output };
}

/** Noise that dies away and darkens, another one for each ear, the same each time; its power is that of one sample. */
function roomOf(context) {
  const length = Math.floor(ROOM_SECONDS * context.sampleRate);
  const buffer = new AudioBuffer({ length, numberOfChannels: 2, sampleRate: context.sampleRate });
  for (let ear = 0; ear < 2; ear++) {
    let seed = 17 + ear;
    let level = 0;
    const samples = Float32Array.from({ length }, (_, n) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      const share = n / length;
      level += (0.5 - 0.42 * share) * (seed / 2 ** 31 - level);
      return level * Math.exp(-6.9 * share);
    });
    const power = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0));
    buffer.copyToChannel(samples.map((value) => value / power), ear);
  }
  return buffer;
}

/** For inputs up to `HEADROOM`, which arrive divided by it: straight for what is soft, and never above 1. */
function saturation() {
  const bend = (value) => (value < STRAIGHT ? value : STRAIGHT + (1 - STRAIGHT) * Math.tanh((value - STRAIGHT) / (1 - STRAIGHT)));
  return Float32Array.from({ length: SATURATION_POINTS }, (_, i) => {
    const value = HEADROOM * ((2 * i) / (SATURATION_POINTS - 1) - 1);
    return Math.sign(value) * bend(Math.abs(value));
  });
}

function channel(context, output) {
  const level = new GainNode(context, { gain: 0 });
  const meter = new AnalyserNode(context, { fftSize: 1024 });
  level.connect(meter).connect(output);
  const samples = new Float32Array(meter.fftSize);
  return { level, read };

  function read() {
    meter.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-12)) / 60));
  }
}

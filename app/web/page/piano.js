/**
 * Instruments for the transcription: struck and plucked strings computed here, and a steady tone. Nothing is loaded.
 *
 * A string is a sum of damped partials. Each is heard twice, a fast and a slow decay a hair apart in pitch, as the two
 * directions in which a real string swings: that gives a piano's quick first decay, its long second one, and its shimmer.
 */

const ANCHOR_STEP = 3;
const MOST_PARTIALS = 26;
const LONGEST = 7;
const RELEASE = 0.09;

/**
 * @typedef {object} StringKind
 * @property {number} strike where it is set in motion; at an eighth of the string every eighth partial is silent
 * @property {number} dullness frequency in Hz from which its partials fade
 * @property {number} tilt how fast they fade below
 * @property {number} sustain seconds that middle C sounds
 * @property {number} thud of what sets it in motion
 * @property {number} touch how much the velocity matters: 1 for all, 0 for nothing
 * @property {number} level
 */

/** @type {StringKind} */
export const HAMMERED = { strike: 1 / 8, dullness: 5200, tilt: 0.75, sustain: 3.6, thud: 0.35, touch: 1, level: 0.5 };
/** A harpsichord's: bright, short, and hardly louder for a harder touch. @type {StringKind} */
export const PLUCKED = { strike: 1 / 6.5, dullness: 9500, tilt: 0.5, sustain: 1.7, thud: 0.1, touch: 0.25, level: 0.28 };

/** @param {number} pitch */
export function frequencyOf(pitch) {
  return 440 * 2 ** ((pitch - 69) / 12);
}

/**
 * One string.
 *
 * @param {number} sr
 * @param {number} pitch
 * @param {StringKind} kind
 * @returns {Float32Array} mono, peak 1
 */
export function renderString(sr, pitch, { strike, dullness, tilt, sustain, thud }) {
  const f0 = frequencyOf(pitch);
  const slow = sustain * 2 ** ((60 - pitch) / 17);
  const out = new Float32Array(Math.ceil(sr * Math.min(LONGEST, 0.25 + 3.5 * slow)));
  // Stiffness makes partials sharper than whole multiples, more so for short strings.
  const stiffness = 2.4e-4 * 2 ** ((pitch - 60) / 14);
  for (let k = 1; k <= MOST_PARTIALS; k++) {
    const frequency = f0 * k * Math.sqrt(1 + stiffness * k * k);
    if (frequency > 0.42 * sr || frequency > 11_000) break;
    const amplitude = (Math.abs(Math.sin(Math.PI * k * strike)) * Math.exp(-frequency / dullness)) / k ** tilt;
    const decay = slow / (1 + 0.22 * (k - 1));
    addPartial(out, sr, { frequency, amplitude: 0.72 * amplitude, decay: 0.3 * decay });
    addPartial(out, sr, { frequency: frequency * 1.0005, amplitude: 0.28 * amplitude, decay });
  }
  addThud(out, sr, f0, thud);
  return finished(out, sr);
}

/** A sine that decays by e in `decay` seconds, as a two-term recursion: far cheaper than a sine for each sample. */
function addPartial(out, sr, { frequency, amplitude, decay }) {
  const w = (2 * Math.PI * frequency) / sr;
  const r = Math.exp(-1 / (decay * sr));
  const a = 2 * r * Math.cos(w);
  const b = r * r;
  let before = -amplitude * Math.sin(2 * w) / b;
  let last = -amplitude * Math.sin(w) / r;
  for (let n = 0; n < out.length; n++) {
    const next = a * last - b * before;
    before = last;
    last = next;
    out[n] += next;
  }
}

/** Of the felt or the quill: some milliseconds of dull noise, the same each time. */
function addThud(out, sr, f0, thud) {
  const length = Math.min(out.length, Math.floor(0.03 * sr));
  const smoothing = Math.min(0.5, (2 * Math.PI * (300 + f0)) / sr);
  let seed = 12345;
  let level = 0;
  for (let n = 0; n < length; n++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    level += smoothing * (seed / 2 ** 31 - level);
    out[n] += thud * level * (1 - n / length) ** 2;
  }
}

/** Peak 1, no click at either end. */
function finished(out, sr) {
  let peak = 1e-9;
  for (const value of out) peak = Math.max(peak, Math.abs(value));
  const rise = Math.floor(0.0015 * sr);
  const fall = Math.floor(0.2 * sr);
  for (let n = 0; n < out.length; n++) {
    out[n] *= Math.min(1, n / rise, (out.length - n) / fall) / peak;
  }
  return out;
}

/** Strings are rendered when first needed, every third key; the two beside it are the same string a little faster. */
export class Strings {
  /** @param {BaseAudioContext} context @param {AudioNode} output @param {StringKind} kind */
  constructor(context, output, kind) {
    this._kind = kind;
    this._context = context;
    this._output = output;
    this._strings = new Map();
  }

  /**
   * Play a note; times are the context's.
   *
   * @param {{pitch: number, velocity: number, start: number, end: number}} note
   * @returns {() => void} ends it early
   */
  play({ pitch, velocity, start, end }) {
    const anchor = Math.round(pitch / ANCHOR_STEP) * ANCHOR_STEP;
    const force = (velocity / 127) ** this._kind.touch;
    const loud = this._kind.level * force ** 1.5;
    const source = new AudioBufferSourceNode(this._context, { buffer: this._string(anchor), playbackRate: 2 ** ((pitch - anchor) / 12) });
    const brightness = new BiquadFilterNode(this._context, { type: "lowpass", Q: 0.3, frequency: 2 * frequencyOf(pitch) + 500 + 9000 * force ** 1.7 });
    const level = new GainNode(this._context, { gain: loud });
    level.gain.setValueAtTime(loud, end);
    level.gain.setTargetAtTime(0, end, RELEASE);
    source.connect(brightness).connect(level).connect(this._output);
    source.start(start);
    source.stop(end + 7 * RELEASE);
    return () => hush(source, level, this._context.currentTime);
  }

  _string(anchor) {
    if (!this._strings.has(anchor)) {
      const samples = renderString(this._context.sampleRate, anchor, this._kind);
      const buffer = new AudioBuffer({ length: samples.length, sampleRate: this._context.sampleRate });
      buffer.copyToChannel(samples, 0);
      this._strings.set(anchor, buffer);
    }
    return this._strings.get(anchor);
  }
}

/** A steady tone for as long as the note lasts: shows where notes end. */
export class SteadyTone {
  /** @param {BaseAudioContext} context @param {AudioNode} output */
  constructor(context, output) {
    this._context = context;
    this._output = output;
    const imag = Float32Array.from([0, 1, 0.42, 0.2, 0.12, 0.05, 0.03, 0.015]);
    this._wave = new PeriodicWave(context, { real: new Float32Array(imag.length), imag });
  }

  /** As `Strings.play`. */
  play({ pitch, velocity, start, end }) {
    const loud = 0.2 * (velocity / 127) ** 1.2;
    const source = new OscillatorNode(this._context, { type: "custom", periodicWave: this._wave, frequency: frequencyOf(pitch) });
    const level = new GainNode(this._context, { gain: 0 });
    level.gain.setTargetAtTime(loud, start, 0.012);
    level.gain.setTargetAtTime(0, Math.max(end, start + 0.03), 0.035);
    source.connect(level).connect(this._output);
    source.start(start);
    source.stop(end + 0.4);
    return () => hush(source, level, this._context.currentTime);
  }
}

/** End a note now, too fast to be heard as a fade and too slow to click. */
export function hush(source, level, now) {
  level.gain.cancelScheduledValues(now);
  level.gain.setTargetAtTime(0, now, 0.012);
  source.stop(now + 0.08);
}

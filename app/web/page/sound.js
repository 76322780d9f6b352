/**
 * The way of the sound:
 *
 *     original ------------------> level -> meter -+-> loudspeaker
 *     instrument -> compressor --> level -> meter -+
 */

import { Piano, SustainedTone } from "./piano.js";

/** Opened by the first press of play: browsers let no page sound before. */
export class Sound {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this._original = channel(this.context);
    this._transcription = channel(this.context);
    // Many notes at once add up; this keeps them from clipping.
    const compressor = new DynamicsCompressorNode(this.context, { threshold: -14, ratio: 5, attack: 0.004, release: 0.2 });
    compressor.connect(this._transcription.level);
    this.instruments = { piano: new Piano(this.context, compressor), tone: new SustainedTone(this.context, compressor) };
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

  /** How loud each is just now, 0 to 1 over 60 dB. */
  levels() {
    return { original: this._original.read(), transcription: this._transcription.read() };
  }
}

function channel(context) {
  const level = new GainNode(context, { gain: 0 });
  const meter = new AnalyserNode(context, { fftSize: 1024 });
  level.connect(meter).connect(context.destination);
  const samples = new Float32Array(meter.fftSize);
  return { level, read };

  function read() {
    meter.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-12)) / 60));
  }
}

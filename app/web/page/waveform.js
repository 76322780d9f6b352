/**
 * How loud the recording is, moment by moment, for the strip.
 *
 * Browsers can only decode a whole file at once, which for an hour would take a gigabyte. So long recordings show the
 * strength of their notes instead.
 */

import { readBytes } from "./api.js";

const SR = 8000;
const PER_SECOND = 100;
const LONGEST = 15 * 60;

/** The loudest sample of each hundredth of a second, 0 to 1. */
export class Peaks {
  /** @param {Float32Array} values @param {"waveform" | "notes"} kind */
  constructor(values, kind) {
    this.values = values;
    this.kind = kind;
  }

  /** @param {number} start seconds @param {number} end seconds */
  loudest(start, end) {
    const from = Math.max(0, Math.floor(start * PER_SECOND));
    const to = Math.min(this.values.length, Math.max(from + 1, Math.floor(end * PER_SECOND)));
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, this.values[i]);
    return most;
  }
}

/**
 * @param {string} address of the audio
 * @param {{duration: number, notes: import("./notes.js").NoteList, signal: AbortSignal}} about
 * @returns {Promise<Peaks>}
 */
export async function readPeaks(address, { duration, notes, signal }) {
  if (duration > LONGEST) return peaksOfNotes(notes, duration);
  try {
    const bytes = await (await readBytes(address, signal)).arrayBuffer();
    const decoded = await new OfflineAudioContext(1, 1, SR).decodeAudioData(bytes);
    return new Peaks(normal(peaksOfSamples(decoded)), "waveform");
  } catch {
    // This browser does not know the format (AIFF, say); the service does, so there are notes.
    return peaksOfNotes(notes, duration);
  }
}

function peaksOfSamples(decoded) {
  const width = SR / PER_SECOND;
  const values = new Float32Array(Math.ceil(decoded.length / width));
  for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
    const samples = decoded.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) {
      const bin = Math.floor(i / width);
      values[bin] = Math.max(values[bin], Math.abs(samples[i]));
    }
  }
  return values;
}

/** Power adds up over the notes that sound together. */
function peaksOfNotes(notes, duration) {
  const power = new Float32Array(Math.ceil(duration * PER_SECOND) + 1);
  for (let i = 0; i < notes.length; i++) {
    const to = Math.min(power.length, Math.ceil(notes.offset[i] * PER_SECOND));
    for (let bin = Math.floor(notes.onset[i] * PER_SECOND); bin < to; bin++) power[bin] += (notes.velocity[i] / 127) ** 2;
  }
  return new Peaks(normal(power.map(Math.sqrt)), "notes");
}

function normal(values) {
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return most > 0 ? values.map((value) => value / most) : values;
}

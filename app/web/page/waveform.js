/**
 * How loud the recording is, moment by moment, for the strip. The service has it: a browser could only decode a whole
 * file at once, which for an hour would take a gigabyte.
 */

import { readBytes } from "./api.js";

const PER_SECOND = 100;

/** The loudest sample of each hundredth of a second. */
export class Peaks {
  /** @param {Uint8Array | Float32Array} values @param {"waveform" | "notes"} kind */
  constructor(values, kind) {
    this.values = values;
    this.kind = kind;
    this._most = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  }

  /** 0 to 1, which is the loudest of all. @param {number} start seconds @param {number} end seconds */
  loudest(start, end) {
    const from = Math.max(0, Math.floor(start * PER_SECOND));
    const to = Math.min(this.values.length, Math.max(from + 1, Math.floor(end * PER_SECOND)));
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, this.values[i]);
    return most / this._most;
  }
}

/**
 * @param {object} job
 * @param {{duration: number, notes: import("./notes.js").NoteList, signal: AbortSignal}} about
 * @returns {Promise<Peaks>}
 */
export async function readPeaks(job, { duration, notes, signal }) {
  try {
    const bytes = await (await readBytes(job.links.peaks, signal)).arrayBuffer();
    return new Peaks(new Uint8Array(bytes), "waveform");
  } catch {
    // Transcribed by a service that did not keep it, or the network is away: there are the notes.
    return peaksOfNotes(notes, duration);
  }
}

/** Power adds up over the notes that sound together. */
function peaksOfNotes(notes, duration) {
  const power = new Float32Array(Math.ceil(duration * PER_SECOND) + 1);
  for (let i = 0; i < notes.length; i++) {
    const to = Math.min(power.length, Math.ceil(notes.offset[i] * PER_SECOND));
    for (let bin = Math.floor(notes.onset[i] * PER_SECOND); bin < to; bin++) power[bin] += (notes.velocity[i] / 127) ** 2;
  }
  return new Peaks(power.map(Math.sqrt), "notes");
}

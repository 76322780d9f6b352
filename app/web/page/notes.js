const LEAST_VELOCITY_RANGE = 32;

/**
 * Notes in flat arrays, sorted by onset: a recording of an hour has tens of thousands, and each frame looks at them.
 */
export class NoteList {
  /**
   * @param {{onset: number, offset: number, pitch: number, velocity: number, confidence: number,
   *   program?: number, instrument_confidence?: number}[]} notes those from before there were instruments are a piano's
   */
  constructor(notes) {
    const sorted = [...notes].sort((a, b) => a.onset - b.onset || a.pitch - b.pitch);
    this.length = sorted.length;
    this.onset = Float64Array.from(sorted, (note) => note.onset);
    this.offset = Float64Array.from(sorted, (note) => note.offset);
    this.pitch = Uint8Array.from(sorted, (note) => note.pitch);
    this.velocity = Uint8Array.from(sorted, (note) => note.velocity);
    this.confidence = Float64Array.from(sorted, (note) => note.confidence);
    this.program = Uint8Array.from(sorted, (note) => note.program ?? 0);
    this.instrumentConfidence = Float64Array.from(sorted, (note) => note.instrument_confidence ?? 1);
    /** Those that occur, ascending. */
    this.programs = [...new Set(this.program)].sort((a, b) => a - b);
    /** Softest and loudest velocity, but for the outermost. */
    this.velocityRange = usualRange(this.velocity);
    this._latestOffset = runningMaximum(this.offset);
  }

  /** One note as a plain value. @param {number} i */
  note(i) {
    return { onset: this.onset[i], offset: this.offset[i], pitch: this.pitch[i], velocity: this.velocity[i], confidence: this.confidence[i],
      program: this.program[i], instrument_confidence: this.instrumentConfidence[i] };
  }

  /** All as plain values. */
  toArray() {
    return Array.from({ length: this.length }, (_, i) => this.note(i));
  }

  /** Index of the note that begins where another does, on its pitch; -1 if there is none. @param {{onset: number, pitch: number}} note */
  find({ onset, pitch }) {
    for (let i = this.firstFrom(onset); i < this.length && this.onset[i] === onset; i++) {
      if (this.pitch[i] === pitch) return i;
    }
    return -1;
  }

  /** Index of the first note that starts at `time` or later. @param {number} time */
  firstFrom(time) {
    return lowerBound(this.onset, time);
  }

  /**
   * Indices [from, to) that hold every note sounding between two times. Some in front may have ended before `start`.
   *
   * @param {number} start
   * @param {number} end
   */
  between(start, end) {
    return [lowerBound(this._latestOffset, start), lowerBound(this.onset, end)];
  }

  /** Index of the note at a point, the latest one first; -1 if there is none. @param {number} time @param {number} pitch */
  at(time, pitch) {
    const [from, to] = this.between(time, time + 1e-6);
    for (let i = to - 1; i >= from; i--) {
      if (this.pitch[i] === pitch && this.offset[i] > time) return i;
    }
    return -1;
  }

  /** How many notes a program has. @param {number} program */
  count(program) {
    return this.program.reduce((sum, one) => sum + (one === program), 0);
  }

  /** Lowest and highest pitch, or null where there are no notes. */
  range() {
    return this.length ? [Math.min(...new Set(this.pitch)), Math.max(...new Set(this.pitch))] : null;
  }
}

function runningMaximum(values) {
  const result = new Float64Array(values.length);
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) result[i] = most = Math.max(most, values[i]);
  return result;
}

/** From the fifth to the 95th percentile, and never less than a quarter of the scale. */
function usualRange(velocities) {
  const sorted = velocities.toSorted();
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 64;
  const [soft, loud] = [at(0.05), at(0.95)];
  const missing = Math.max(0, LEAST_VELOCITY_RANGE - (loud - soft)) / 2;
  return [soft - missing, loud + missing];
}

/** First index whose value is at least `wanted`, in an ascending array. */
function lowerBound(values, wanted) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Relation between the sound card's time and the place in the recording: one straight line, from which both the
 * playhead and the notes are placed.
 */
export class Clock {
  constructor() {
    this.set(0, 0, 1);
  }

  /** @param {number} position seconds of the recording @param {number} time the context's @param {number} rate */
  set(position, time, rate) {
    this._position = position;
    this._time = time;
    this._rate = rate;
  }

  /** @param {number} time */
  positionAt(time) {
    return this._position + (time - this._time) * this._rate;
  }

  /** @param {number} position */
  timeOf(position) {
    return this._time + (position - this._position) / this._rate;
  }

  /**
   * Lean a little towards what the recording's player says: its word is coarse and jitters, its average is right.
   *
   * @param {number} position
   * @param {number} time
   * @param {number} share 0 to 1
   */
  lean(position, time, share) {
    this._position += share * (position - this.positionAt(time));
  }
}

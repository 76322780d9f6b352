/** A player's word further off than this is a jump, not jitter. */
const JUMP = 0.12;
const LEAN = 0.06;

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
   * Follow what the recording's player says: its word is coarse and jitters, its average is right, so the line leans a
   * little towards it.
   *
   * @param {number} position seconds of the recording
   * @param {number} time the context's
   * @returns {boolean} false for a jump, which no leaning explains: the caller has to set the clock anew
   */
  follow(position, time) {
    const off = position - this.positionAt(time);
    if (Math.abs(off) > JUMP) return false;
    this._position += LEAN * off;
    return true;
  }
}

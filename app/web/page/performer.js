/** Plays a note list: hands the instrument what comes next, a moment ahead. */

const MOST_VOICES = 72;
/** A note that began before the start is still struck if at least this much of it is left. */
const WORTH_STRIKING = 0.15;

export class Performer {
  constructor() {
    /** Semitones that the recording lies above 440 Hz: played beside it, its notes shall not beat with it. */
    this.sharp = 0;
    this._notes = null;
    this._position = 0;
    this._next = 0;
    this._held = [];
    this._voices = [];
  }

  /** @param {import("./notes.js").NoteList} notes @param {number} position seconds of the recording */
  start(notes, position) {
    this._notes = notes;
    this._position = position;
    this._next = notes.firstFrom(position);
    this._held = this._soundingAt(position);
  }

  /** Other notes from here on; what is already handed over sounds on. @param {import("./notes.js").NoteList} notes */
  replace(notes) {
    this._notes = notes;
    this._next = notes.firstFrom(this._position);
  }

  /**
   * Hand over all that begins before `until`.
   *
   * @param {number} until seconds of the recording
   * @param {(position: number) => number} timeOf from there to the context's time
   * @param {{play: (note: object) => () => void}} instrument
   */
  advance(until, timeOf, instrument) {
    const notes = this._notes;
    for (const i of this._held) this._strike(i, this._position, timeOf, instrument);
    this._held = [];
    while (this._next < notes.length && notes.onset[this._next] < until) {
      this._strike(this._next, notes.onset[this._next], timeOf, instrument);
      this._next += 1;
    }
    this._position = Math.max(this._position, until);
  }

  /** Nothing sounds from now on. */
  silence() {
    for (const { stop } of this._voices) stop();
    this._voices = [];
  }

  _soundingAt(position) {
    const [from, to] = this._notes.between(position, position);
    const indices = Array.from({ length: to - from }, (_, k) => from + k);
    return indices.filter((i) => this._notes.offset[i] > position + WORTH_STRIKING);
  }

  _strike(i, from, timeOf, instrument) {
    const notes = this._notes;
    const start = timeOf(from);
    const end = timeOf(notes.offset[i]);
    const stop = instrument.play({ pitch: notes.pitch[i] + this.sharp, velocity: notes.velocity[i], program: notes.program[i], start, end });
    this._voices = this._voices.filter((voice) => voice.end > start - 1);
    this._voices.push({ stop, end });
    if (this._voices.length > MOST_VOICES) this._voices.shift().stop();
  }
}

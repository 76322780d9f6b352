/** All instruments of a recording: each program sounds as its kind does, and can be silenced by itself. */

import { HAMMERED, PLUCKED, Strings } from "./piano.js";
import { Sustained, VOICES } from "./sustained.js";

const HARPSICHORD = 6;
/** Too fast to be heard as a fade and too slow to click. */
const SWITCHING = 0.015;

/** @param {number} program @param {BaseAudioContext} context @param {AudioNode} output */
export function instrumentFor(program, context, output) {
  if (VOICES[program]) return new Sustained(context, output, VOICES[program]);
  return new Strings(context, output, program === HARPSICHORD ? PLUCKED : HAMMERED);
}

export class Ensemble {
  /**
   * @param {BaseAudioContext} context
   * @param {AudioNode} output
   * @param {typeof instrumentFor} make
   */
  constructor(context, output, make) {
    this._context = context;
    this._output = output;
    this._make = make;
    this._players = new Map();
    this._hushed = new Set();
  }

  /**
   * Play a note; times are the context's.
   *
   * @param {{pitch: number, velocity: number, program: number, start: number, end: number}} note
   * @returns {() => void} ends it early
   */
  play(note) {
    return this._player(note.program).instrument.play(note);
  }

  /** At once, and for what is played later; the notes go on unheard, so that they are there when they are wanted again. @param {Set<number>} programs */
  hush(programs) {
    this._hushed = programs;
    for (const [program, { level }] of this._players) level.gain.setTargetAtTime(programs.has(program) ? 0 : 1, this._context.currentTime, SWITCHING);
  }

  _player(program) {
    if (!this._players.has(program)) {
      const level = new GainNode(this._context, { gain: this._hushed.has(program) ? 0 : 1 });
      level.connect(this._output);
      this._players.set(program, { level, instrument: this._make(program, this._context, level) });
    }
    return this._players.get(program);
  }
}

/**
 * Changes of a note list, as plain values: what goes and what comes. So each can be undone, and any number of them
 * takes no more memory than the notes that they touch.
 *
 * @typedef {{onset: number, offset: number, pitch: number, velocity: number, confidence: number, program: number, instrument_confidence: number}} Note
 * @typedef {{[instrument: string]: string}} Names what a person calls the tracks of instruments
 * @typedef {{remove: Note[], add: Note[], names?: {before: Names, after: Names}}} Change
 */

import { NoteList } from "./notes.js";

export const LEAST_SECONDS = 0.02;
const LOWEST = 21;
const HIGHEST = 108;

/** @param {NoteList} notes @param {Change} change @returns {NoteList} */
export function applied(notes, { remove, add }) {
  const gone = new Set(remove.map((note) => notes.find(note)));
  const kept = [];
  for (let i = 0; i < notes.length; i++) if (!gone.has(i)) kept.push(notes.note(i));
  return new NoteList([...kept, ...add]);
}

/** @param {Change} change @returns {Change} */
export function reversed({ remove, add }) {
  return { remove: add, add: remove };
}

/**
 * Put `wanted` in the place of `gone`. A pitch sounds once at a time: a note that sounds already ends where a wanted one
 * begins, and a wanted one ends where the next begins.
 *
 * @param {NoteList} notes
 * @param {Note[]} gone
 * @param {Note[]} wanted
 * @returns {Change}
 */
export function replacing(notes, gone, wanted) {
  const free = new Set(gone.map((note) => notes.find(note)));
  const remove = [...gone];
  const add = [];
  for (const note of wanted.toSorted((a, b) => a.onset - b.onset)) {
    let { offset } = note;
    for (const i of inTheWay(notes, note)) {
      if (free.has(i)) continue;
      const other = notes.note(i);
      if (other.onset - note.onset >= LEAST_SECONDS) {
        offset = Math.min(offset, other.onset);
      } else {
        free.add(i);
        remove.push(other);
        if (note.onset - other.onset >= LEAST_SECONDS) add.push({ ...other, offset: note.onset });
      }
    }
    add.push({ ...note, offset });
  }
  return { remove, add: apart(add) };
}

/** Notes of which each ends where the next of its pitch begins; of two at once the longer stays. @param {Note[]} notes */
function apart(notes) {
  const kept = [];
  for (const note of notes.toSorted((a, b) => a.onset - b.onset || b.offset - a.offset)) {
    const before = kept.findLast((one) => one.pitch === note.pitch);
    if (before && before.offset > note.onset) {
      if (note.onset - before.onset < LEAST_SECONDS) continue;
      before.offset = note.onset;
    }
    kept.push({ ...note });
  }
  return kept;
}

/** Shift in time and pitch, all alike and none over an edge. */
export function moved(selection, seconds, semitones, duration) {
  const first = Math.min(...selection.map((note) => note.onset));
  const last = Math.max(...selection.map((note) => note.offset));
  const low = Math.min(...selection.map((note) => note.pitch));
  const high = Math.max(...selection.map((note) => note.pitch));
  const by = clamp(seconds, -first, Math.max(0, duration - last));
  const up = clamp(semitones, LOWEST - low, HIGHEST - high);
  return selection.map((note) => ({ ...note, onset: moment(note.onset + by), offset: moment(note.offset + by), pitch: note.pitch + up }));
}

/** Move the ends. @param {Note[]} selection @param {"onset" | "offset"} end @param {number} seconds @param {number} duration */
export function stretched(selection, end, seconds, duration) {
  return selection.map((note) => {
    if (end === "onset") return { ...note, onset: moment(clamp(note.onset + seconds, 0, Math.max(0, note.offset - LEAST_SECONDS))) };
    return { ...note, offset: moment(clamp(note.offset + seconds, note.onset + LEAST_SECONDS, Math.max(duration, note.offset))) };
  });
}

/** A note that a person has set is sure. */
export function newNote({ onset, length, pitch, velocity, program }, duration) {
  const begin = clamp(onset, 0, Math.max(0, duration - LEAST_SECONDS));
  const end = Math.max(begin + LEAST_SECONDS, Math.min(begin + length, duration));
  return { onset: moment(begin), offset: moment(end), pitch: clamp(pitch, LOWEST, HIGHEST), velocity, confidence: 1, program, instrument_confidence: 1 };
}

/** What was done to a note list, and back. */
export class History {
  /** @param {NoteList} notes as they are kept @param {Names} names */
  constructor(notes, names) {
    this.notes = notes;
    this.names = names;
    this._done = [];
    this._undone = [];
    this._kept = null;
    /** Notes and names as they are kept. */
    this.kept = { notes, names };
  }

  get canUndo() {
    return this._done.length > 0;
  }

  get canRedo() {
    return this._undone.length > 0;
  }

  /** Whether the notes differ from those that are kept. */
  get isDirty() {
    return (this._done.at(-1) ?? null) !== this._kept;
  }

  /** @param {Change} change */
  apply(change) {
    this._become(change, change.names?.after);
    this._done.push(change);
    this._undone = [];
  }

  /** @returns {Note[]} what came back */
  undo() {
    const change = this._done.pop();
    this._undone.push(change);
    this._become(reversed(change), change.names?.before);
    return change.remove;
  }

  /** @returns {Note[]} what came back */
  redo() {
    const change = this._undone.pop();
    this._done.push(change);
    this._become(change, change.names?.after);
    return change.add;
  }

  /** The notes as they are now, to be given to `markKept` once they are kept. */
  get mark() {
    return { change: this._done.at(-1) ?? null, notes: this.notes, names: this.names };
  }

  /** What stood at a mark is kept; more may have been done since. */
  markKept({ change, notes, names }) {
    this._kept = change;
    this.kept = { notes, names };
  }

  _become(change, names = this.names) {
    if (change.remove.length || change.add.length) this.notes = applied(this.notes, change);
    this.names = names;
  }
}

/** Indices of the notes of its pitch that sound while a note does. */
function inTheWay(notes, { onset, offset, pitch }) {
  const [from, to] = notes.between(onset, offset);
  const indices = Array.from({ length: to - from }, (_, k) => from + k);
  return indices.filter((i) => notes.pitch[i] === pitch && notes.offset[i] > onset && notes.onset[i] < offset);
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

/** The service keeps microseconds. */
function moment(seconds) {
  return Math.round(seconds * 1e6) / 1e6;
}

/**
 * Editing the notes of the open recording: what is selected, what is done to it, undo and redo.
 *
 * The roll's stage shows what stands here; hands and keys call it (edit-input.js, edit-keys.js).
 */

import { History, moved, newNote, replacing, stretched } from "./edits.js";
import { NoteList } from "./notes.js";
import { createStore } from "./store.js";
import { including } from "./view.js";

const FIRST_LENGTH = 0.3;
const FIRST_VELOCITY = 80;

/**
 * @param {object} stage the roll's store: `editing`, `selected` (indices) and `ghosts` (notes as a hand would put them)
 * @param {{onNotes: (notes: NoteList) => void, audition: (note: {pitch: number, velocity: number}) => void}} to
 */
export function createEditor(stage, { onNotes, audition }) {
  const state = createStore({
    /** @type {string | null} whose notes these are; of nobody as long as they are not here */ name: null,
    active: false, canUndo: false, canRedo: false, dirty: false,
    /** @type {import("./edits.js").Note[]} */ selection: [], /** @type {import("./edits.js").Names} */ names: {},
  });
  /** What was done to each recording's version since the page was loaded; going to another and back loses nothing. */
  const histories = new Map();
  let history = nothing();
  /** @type {number | null} index of the note behind those that were removed, until others are selected */
  let place = null;
  let last = { length: FIRST_LENGTH, velocity: FIRST_VELOCITY, program: null };

  return {
    state, open, close, setActive, select, toggle, selectAll, selectNext, preview, commit, add, remove, setVelocity, setProgram, rename, undo, redo, reveal, markKept, forget, discard, audition,
    /** The notes as they are now; `markKept` takes it. */
    get mark() {
      return history.mark;
    },
    /** Whether there are edits, of this recording or another, that are kept nowhere. */
    get hasUnsaved() {
      return history.isDirty || histories.size > 0;
    },
  };

  /** Other notes: those of `name`, or what was made of them already. @param {string} name @param {NoteList} notes @param {import("./edits.js").Names} [names] */
  function open(name, notes, names = {}) {
    if (name !== state.get().name || !history.isDirty) {
      park();
      history = histories.get(name) ?? new History(notes, names);
      histories.delete(name);
      last.program = null;
    }
    state.set({ name });
    stage.set({ editing: state.get().active });
    show([]);
    return history.notes;
  }

  /** What is to be shown is not here yet: what is still seen is not to be taken for it, and nothing can be done to it. */
  function close() {
    park();
    stage.set({ editing: false });
    state.set({ name: null, canUndo: false, canRedo: false, dirty: false });
    select([]);
  }

  function park() {
    const { name } = state.get();
    if (name && history.isDirty) histories.set(name, history);
    history = nothing();
  }

  /** @param {boolean} active */
  function setActive(active) {
    stage.set({ editing: active && state.get().name !== null });
    state.set({ active });
    if (!active) select([]);
  }

  /** @param {import("./edits.js").Note[]} selection */
  function select(selection) {
    const { notes } = history;
    place = null;
    stage.set({ selected: new Set(selection.map((note) => notes.find(note))), ghosts: null });
    state.set({ selection });
    if (selection.length === 1) {
      const [{ onset, offset, velocity, program }] = selection;
      last = { length: offset - onset, velocity, program };
    }
  }

  /** @param {import("./edits.js").Note} note */
  function toggle(note) {
    const { selection } = state.get();
    const others = selection.filter((one) => one.onset !== note.onset || one.pitch !== note.pitch);
    select(others.length < selection.length ? others : [...selection, note]);
  }

  function selectAll() {
    select(history.notes.toArray());
  }

  /** The note after, or before, the one that is selected or was removed; else the one at `position`. @param {1 | -1} step @param {number} position */
  function selectNext(step, position) {
    const { notes } = history;
    const next = nextTo(step) ?? notes.firstFrom(position);
    if (next < 0 || next >= notes.length) return;
    select([notes.note(next)]);
    reveal();
    audition(notes.note(next));
  }

  function nextTo(step) {
    const { selection } = state.get();
    if (selection.length) return history.notes.find(selection.at(step > 0 ? -1 : 0)) + step;
    return place === null ? null : place + Math.min(step, 0);
  }

  /** Bring the note that is selected into sight; of several a part may lie anywhere. */
  function reveal() {
    const { selection } = state.get();
    const { view } = stage.get();
    const next = selection.length === 1 ? including(view, selection[0]) : view;
    if (next !== view) stage.set({ view: next, follow: false });
  }

  /** Show where a hand would put the selection. @param {Shift} shift */
  function preview(shift) {
    const ghosts = shifted(shift);
    const before = stage.get().ghosts ?? state.get().selection;
    if (ghosts.length && ghosts[0].pitch !== before[0].pitch) audition(ghosts[0]);
    stage.set({ ghosts });
  }

  /**
   * Put the selection there.
   *
   * @typedef {{seconds?: number, semitones?: number, onset?: number, offset?: number}} Shift of all, or of one end
   * @param {Shift} shift
   */
  function commit(shift) {
    const { selection } = state.get();
    const wanted = shifted(shift);
    const changed = wanted.some((note, i) => note.onset !== selection[i].onset || note.offset !== selection[i].offset || note.pitch !== selection[i].pitch);
    if (changed) replace(selection, wanted);
    else stage.set({ ghosts: null });
  }

  /** @param {number} onset @param {number} pitch */
  function add(onset, pitch) {
    if (!state.get().name) return;
    const program = last.program ?? history.notes.programs[0] ?? 0;
    const note = newNote({ ...last, onset, pitch, program }, stage.get().view.duration);
    replace([], [note]);
    audition(note);
  }

  function remove() {
    const { selection } = state.get();
    if (!selection.length) return;
    const first = selection.reduce((least, note) => Math.min(least, history.notes.find(note)), Infinity);
    replace(selection, []);
    place = first;
  }

  /** @param {number} velocity 1 to 127 */
  function setVelocity(velocity) {
    const { selection } = state.get();
    if (!selection.length || selection.every((note) => note.velocity === velocity)) return;
    replace(selection, selection.map((note) => ({ ...note, velocity })));
    audition(state.get().selection[0]);
  }

  /** What a person sets is sure. @param {number} program */
  function setProgram(program) {
    const { selection } = state.get();
    if (!selection.length || selection.every((note) => note.program === program)) return;
    replace(selection, selection.map((note) => ({ ...note, program, instrument_confidence: 1 })));
    audition(state.get().selection[0]);
  }

  /** Call an instrument's track something else; nothing for the instrument's own name. @param {string} instrument @param {string} name */
  function rename(instrument, name) {
    if (!state.get().name || (history.names[instrument] ?? "") === name) return;
    const { [instrument]: _, ...others } = history.names;
    const after = name ? { ...others, [instrument]: name } : others;
    history.apply({ remove: [], add: [], names: { before: history.names, after } });
    show(state.get().selection);
  }

  function undo() {
    if (!history.canUndo) return;
    show(history.undo());
    reveal();
  }

  function redo() {
    if (!history.canRedo) return;
    show(history.redo());
    reveal();
  }

  /** What stood at a mark of `former` is kept now, as `name`; other notes may be shown by now. @param {string} former @param {string} name @param {object} mark */
  function markKept(former, name, mark) {
    if (state.get().name === former) {
      history.markKept(mark);
      state.set({ name, dirty: history.isDirty });
      return;
    }
    const left = histories.get(former);
    histories.delete(former);
    left?.markKept(mark);
    if (left?.isDirty) histories.set(name, left);
  }

  /** A recording is gone, and what was done to it. @param {string} prefix of its names */
  function forget(prefix) {
    for (const name of histories.keys()) if (name.startsWith(prefix)) histories.delete(name);
    if (!state.get().name?.startsWith(prefix)) return;
    history = nothing();
    state.set({ name: null, dirty: false });
  }

  /** Back to what is kept. */
  function discard() {
    history = new History(history.kept.notes, history.kept.names);
    show([]);
  }

  function shifted({ seconds = 0, semitones = 0, onset = 0, offset = 0 }) {
    const { selection } = state.get();
    const { duration } = stage.get().view;
    if (onset) return stretched(selection, "onset", onset, duration);
    if (offset) return stretched(selection, "offset", offset, duration);
    return selection.length ? moved(selection, seconds, semitones, duration) : [];
  }

  function replace(gone, wanted) {
    const change = replacing(history.notes, gone, wanted);
    history.apply(change);
    show(change.add.filter((note) => wanted.some((one) => one.onset === note.onset && one.pitch === note.pitch)));
  }

  /** Show the notes as they are now, with these selected. */
  function show(selection) {
    onNotes(history.notes);
    state.set({ canUndo: history.canUndo, canRedo: history.canRedo, dirty: history.isDirty, names: history.names });
    select(selection.filter((note) => history.notes.find(note) >= 0));
  }
}

function nothing() {
  return new History(new NoteList([]), {});
}

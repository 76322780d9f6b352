/** Editing without a mouse: everything that hands can do on the roll, by keys. */

import { announce } from "./dom.js";
import { clock, counted, pitchName } from "./format.js";

const STEP_SECONDS = 0.02;
const OCTAVE = 12;

/**
 * @param {ReturnType<typeof import("./editor.js").createEditor>} editor
 * @param {{canvas: HTMLElement, position: () => number, add: () => void, save: () => void}} page `add` at the playhead
 */
export function handleEditKeys(editor, { canvas, position, add, save }) {
  // Captured, since the roll's own keys move the view.
  canvas.addEventListener("keydown", (event) => editor.state.get().active && onRoll(event), { capture: true });
  addEventListener("keydown", (event) => editor.state.get().active && anywhere(event), { capture: true });
  editor.state.watch(["selection"], ({ selection, active }) => active && announce(said(selection)));

  function onRoll(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { selection } = editor.state.get();
    const free = {
      Enter: () => editor.selectNext(event.shiftKey ? -1 : 1, position()),
      n: add,
      Escape: () => (selection.length ? editor.select([]) : editor.setActive(false)),
    };
    const held = {
      Delete: editor.remove, Backspace: editor.remove,
      ArrowLeft: () => put(event.shiftKey ? { offset: -STEP_SECONDS } : { seconds: -STEP_SECONDS }),
      ArrowRight: () => put(event.shiftKey ? { offset: STEP_SECONDS } : { seconds: STEP_SECONDS }),
      ArrowUp: () => raise(event.shiftKey ? OCTAVE : 1),
      ArrowDown: () => raise(event.shiftKey ? -OCTAVE : -1),
    };
    run(event, free[event.key] ?? (selection.length ? held[event.key] : undefined));
  }

  function anywhere(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    const key = event.key.toLowerCase();
    if (key === "z") run(event, event.shiftKey ? editor.redo : editor.undo);
    else if (key === "y") run(event, editor.redo);
    else if (key === "s") run(event, save);
    else if (key === "a" && event.target === canvas) run(event, editor.selectAll);
  }

  function put(shift) {
    editor.commit(shift);
    editor.reveal();
  }

  function raise(semitones) {
    put({ semitones });
    const [note] = editor.state.get().selection;
    if (note) editor.audition(note);
  }
}

function run(event, action) {
  if (!action) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  action();
}

function said(selection) {
  if (selection.length !== 1) return selection.length ? `${counted(selection.length, "note")} selected` : "Nothing selected";
  const [{ pitch, onset, offset }] = selection;
  return `${pitchName(pitch)} at ${clock(onset, 2)}, ${(offset - onset).toFixed(2)} seconds`;
}

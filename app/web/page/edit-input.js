/** Hands on the notes: choose, move, lengthen, add. Only while editing; what they leave alone is for the roll itself. */

import { keysWidth, pitchAxis, timeAxis } from "./axis.js";

const CLICK_PX = 3;
/** How near to its end a note is taken by the end. */
const END_PX = { mouse: 6, pen: 8, touch: 14 };
/** A note narrower than this is all body, so that it can be moved at all; its end is taken from outside. */
const NARROW_PX = 20;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {object} stage
 * @param {ReturnType<typeof import("./editor.js").createEditor>} editor
 */
export function handleEdits(canvas, stage, editor) {
  let gesture = null;

  listen("pointerdown", (event) => {
    cancel();
    // A second finger pinches, a middle button pans.
    if (!event.isPrimary || event.button !== 0 || event.offsetX < keysWidth(canvas.clientWidth)) return false;
    const found = noteAt(event);
    if (found) gesture = take(found, event);
    else if (event.pointerType !== "touch") gesture = band(event);
    if (gesture) canvas.setPointerCapture(event.pointerId);
    return gesture !== null;
  });
  listen("pointermove", (event) => {
    if (gesture?.pointerId !== event.pointerId) {
      canvas.style.cursor = event.buttons ? "" : cursorFor(noteAt(event));
      return false;
    }
    gesture.move(event);
    return true;
  });
  listen("pointerup", (event) => {
    if (gesture?.pointerId !== event.pointerId) return false;
    gesture.end(event);
    gesture = null;
    return true;
  });
  listen("pointercancel", cancel);
  listen("dblclick", (event) => {
    if (event.offsetX < keysWidth(canvas.clientWidth) || noteAt(event)) return false;
    editor.add(times().time(event.offsetX), pitches().pitch(event.offsetY));
    return true;
  });
  stage.watch(["editing"], ({ editing }) => {
    if (editing) return;
    cancel();
    canvas.style.cursor = "";
  });

  /** What is handled here does not reach the roll's own listeners. */
  function listen(kind, handler) {
    canvas.addEventListener(kind, (event) => {
      if (stage.get().editing && handler(event)) event.stopImmediatePropagation();
    }, { capture: true });
  }

  function times() {
    return timeAxis(stage.get().view, canvas.clientWidth);
  }

  function pitches() {
    return pitchAxis(stage.get().view, canvas.clientHeight);
  }

  function cancel() {
    gesture = null;
    stage.set({ ghosts: null, band: null });
    return false;
  }

  /** The note under the pointer, and by which part it is taken. */
  function noteAt({ offsetX, offsetY, pointerType }) {
    const { notes } = stage.get();
    const { x, time, scale } = times();
    const near = END_PX[pointerType] ?? END_PX.mouse;
    const pitch = pitches().pitch(offsetY);
    const outside = near / scale / 2;
    const at = [time(offsetX), time(offsetX) - outside, time(offsetX) + outside];
    const i = at.map((moment) => notes.at(moment, pitch)).find((index) => index >= 0) ?? -1;
    if (i < 0) return null;
    const [from, to] = [x(notes.onset[i]), x(notes.offset[i])];
    const wide = to - from >= NARROW_PX;
    const byEnd = offsetX > to - (wide ? near : 0);
    const byOnset = wide ? offsetX < from + near : offsetX < from;
    return { note: notes.note(i), part: byEnd ? "offset" : byOnset ? "onset" : "body" };
  }

  function take({ note, part }, event) {
    const isSelected = editor.state.get().selection.some((one) => one.onset === note.onset && one.pitch === note.pitch);
    const adding = event.shiftKey || event.ctrlKey || event.metaKey;
    if (adding) editor.toggle(note);
    else if (!isSelected) editor.select([note]);
    if (!adding) editor.audition(note);
    let far = false;
    const shift = ({ clientX, clientY, offsetY }) => {
      far ||= Math.hypot(clientX - event.clientX, clientY - event.clientY) > CLICK_PX;
      if (!far) return {};
      const seconds = (clientX - event.clientX) / times().scale;
      return part === "body" ? { seconds, semitones: pitches().pitch(offsetY) - note.pitch } : { [part]: seconds };
    };
    return {
      pointerId: event.pointerId,
      move: (next) => !adding && editor.preview(shift(next)),
      end: (next) => {
        if (!adding) editor.commit(shift(next));
        if (!adding && !far && isSelected) editor.select([note]);
      },
    };
  }

  /** Select what a frame holds. */
  function band(event) {
    const from = { x: event.offsetX, y: event.offsetY };
    const kept = event.shiftKey ? editor.state.get().selection : [];
    editor.select(kept);
    return {
      pointerId: event.pointerId,
      move: ({ offsetX, offsetY }) => {
        const frame = { left: Math.min(from.x, offsetX), right: Math.max(from.x, offsetX), top: Math.min(from.y, offsetY), bottom: Math.max(from.y, offsetY) };
        stage.set({ band: frame });
        editor.select([...kept, ...inside(frame)]);
      },
      end: () => stage.set({ band: null }),
    };
  }

  function inside({ left, right, top, bottom }) {
    const { notes } = stage.get();
    const [start, end] = [times().time(left), times().time(right)];
    const [low, high] = [pitches().pitch(bottom), pitches().pitch(top)];
    const [from, to] = notes.between(start, end);
    const indices = Array.from({ length: to - from }, (_, k) => from + k);
    return indices.filter((i) => notes.offset[i] > start && notes.pitch[i] >= low && notes.pitch[i] <= high).map((i) => notes.note(i));
  }
}

function cursorFor(found) {
  if (!found) return "crosshair";
  return found.part === "body" ? "move" : "ew-resize";
}

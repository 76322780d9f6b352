/** Hands on roll and strip: pan, zoom, seek, choose a loop. Everything ends in a new view or a call of the transport. */

import { keysWidth, pitchAxis, timeAxis } from "./axis.js";
import { panned, raised, stretched, zoomed } from "./view.js";

const CLICK_PX = 4;
const ZOOM_STEP = 1.25;
const KEY_VELOCITY = 84;
const LEAST_LOOP_PX = 6;

/** @param {HTMLCanvasElement} canvas @param {object} stage @param {import("./transport.js").transport} transport */
export function handleRoll(canvas, stage, transport) {
  const fingers = new Map();
  let moved = 0;
  let rows = 0;

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    moved = rows = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    if (fingers.size === 2) pinch(last, event);
    else drag(last, event);
    fingers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (fingers.size === 1 && moved < CLICK_PX) tap(event);
    fingers.delete(event.pointerId);
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", wheel, { passive: false });

  function axis() {
    return timeAxis(stage.get().view, canvas.clientWidth);
  }

  /** Keys sound, elsewhere the playhead comes. */
  function tap({ offsetX, offsetY }) {
    if (offsetX > keysWidth(canvas.clientWidth)) transport.seek(axis().time(offsetX));
    else transport.audition({ pitch: pitchAxis(stage.get().view, canvas.clientHeight).pitch(offsetY), velocity: KEY_VELOCITY });
  }

  function drag(last, event) {
    const [dx, dy] = [event.offsetX - last.offsetX, event.offsetY - last.offsetY];
    moved += Math.abs(dx) + Math.abs(dy);
    rows += dy / pitchAxis(stage.get().view, canvas.clientHeight).row;
    const whole = Math.trunc(rows);
    rows -= whole;
    if (moved >= CLICK_PX) change(raised(panned(stage.get().view, -dx / axis().scale), whole));
  }

  function pinch(last, event) {
    moved = CLICK_PX;
    const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
    const before = Math.max(10, Math.abs(last.offsetX - other.offsetX));
    const after = Math.max(10, Math.abs(event.offsetX - other.offsetX));
    change(zoomed(stage.get().view, before / after, axis().time(other.offsetX)));
  }

  function wheel(event) {
    event.preventDefault();
    const { view } = stage.get();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.altKey) change(stretched(view, Math.sign(dy), pitchAxis(view, canvas.clientHeight).pitch(event.offsetY)));
    else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) change(panned(view, (dx || dy) / axis().scale));
    else change(zoomed(view, ZOOM_STEP ** (dy / 80), axis().time(event.offsetX)));
  }

  function change(view) {
    stage.set({ view, follow: false });
  }
}

/** Press seeks, drag chooses a loop. @param {HTMLCanvasElement} canvas @param {object} stage @param {object} transport */
export function handleStrip(canvas, stage, transport) {
  let from = null;
  const timeAt = (event) => {
    const { view } = stage.get();
    const time = timeAxis(view, canvas.clientWidth).time(event.offsetX);
    return Math.min(Math.max(time, 0), view.duration);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = { x: event.offsetX, time: timeAt(event) };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || Math.abs(event.offsetX - from.x) < LEAST_LOOP_PX) return;
    const time = timeAt(event);
    transport.setLoop({ start: Math.min(from.time, time), end: Math.max(from.time, time) });
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from && Math.abs(event.offsetX - from.x) < LEAST_LOOP_PX) transport.seek(from.time);
    from = null;
  });
  canvas.addEventListener("pointercancel", () => {
    from = null;
  });
}

/** What the arrow keys and + and - do on the roll. @param {KeyboardEvent} event @param {object} stage */
export function handleRollKey(event, stage) {
  const { view } = stage.get();
  const span = view.end - view.start;
  const middle = (view.start + view.end) / 2;
  const centre = Math.round((view.low + view.high) / 2);
  const next = {
    ArrowLeft: () => panned(view, -span / 8),
    ArrowRight: () => panned(view, span / 8),
    ArrowUp: () => (event.shiftKey ? stretched(view, -2, centre) : raised(view, 2)),
    ArrowDown: () => (event.shiftKey ? stretched(view, 2, centre) : raised(view, -2)),
    "+": () => zoomed(view, 1 / ZOOM_STEP, middle),
    "-": () => zoomed(view, ZOOM_STEP, middle),
  }[event.key === "=" ? "+" : event.key];
  if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  stage.set({ view: next(), follow: false });
}

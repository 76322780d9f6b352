/** The picture of the notes: strip, roll, playhead and minimap on one axis. */

import { pitchAxis, timeAxis } from "./axis.js";
import { readPalette, sharpCanvas } from "./canvas.js";
import { button, h, oncePerFrame, setText } from "./dom.js";
import { drawEdits } from "./draw-edits.js";
import { drawKeys, drawRoll } from "./draw-roll.js";
import { drawStrip } from "./draw-strip.js";
import { clock, pitchName } from "./format.js";
import { instrumentOf } from "./instruments.js";
import { createMinimap } from "./minimap.js";
import { NoteList } from "./notes.js";
import { handleRoll, handleRollKey, handleStrip } from "./roll-input.js";
import { createStore } from "./store.js";
import { fitted, following, zoomed } from "./view.js";

const HELP = "Arrow keys move, plus and minus zoom, Shift with up and down zooms the pitches. A click plays from there.";

/** What editing (editor.js) adds to the picture. */
const NOTHING_SELECTED = { selected: new Set(), ghosts: null, band: null };

/** @param {import("./transport.js").transport} transport */
export function createRoll(transport) {
  const stage = createStore({ view: fitted(1, null), notes: new NoteList([]), peaks: null, follow: true, bars: false, tempo: 120, palette: readPalette(), editing: false, /** programs that are not heard */ hushed: new Set(), ...NOTHING_SELECTED });
  const strip = h("canvas", { class: "strip", "aria-hidden": "true" });
  const canvas = h("canvas", { class: "roll", tabindex: "0", role: "application", "aria-label": "Piano roll", "aria-description": HELP });
  const overlay = h("canvas", { class: "roll-overlay", "aria-hidden": "true" });
  const tip = h("div", { class: "tip", hidden: true });
  const minimap = createMinimap(stage, () => transport.position);
  const tools = toolbar(stage, transport);
  const box = h("div", { class: "roll-box" }, strip, canvas, overlay, tip);
  const element = h("section", { class: "roll-panel", "aria-label": "Notes" }, tools, box, minimap.element);

  const drawStripSoon = surface(strip, drawStrip, () => ({ ...stage.get(), ...transport.state.get() }));
  const drawRollSoon = surface(canvas, drawAll, () => stage.get());
  const drawOverlaySoon = surface(overlay, (on, what) => drawPlayhead(on, what, strip.clientHeight), () => ({ ...stage.get(), position: transport.position, playing: transport.state.get().playing }));
  stage.watch(["view", "notes", "palette", "hushed", "bars", "tempo", "selected", "ghosts", "band"], drawRollSoon);
  stage.watch(["view", "peaks", "palette", "bars", "tempo"], drawStripSoon);
  stage.watch(["view", "notes", "palette", "hushed"], drawOverlaySoon);
  transport.state.watch(["loop", "looping"], drawStripSoon);
  transport.state.watch(["position", "playing"], showPosition);
  transport.state.watch(["playing"], ({ playing }) => playing && stage.set({ follow: true }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stage.set({ palette: readPalette() }));

  handleRoll(canvas, stage, transport);
  handleStrip(strip, stage, transport);
  canvas.addEventListener("keydown", (event) => handleRollKey(event, stage));
  showTips(canvas, tip, stage);
  return { element, tools, box, canvas, stage, showPosition, open, setNotes };

  /** A recording's first notes: all of it in sight. */
  function open(notes, duration) {
    stage.set({ notes, peaks: null, follow: true, view: fitted(duration, notes.range()), ...NOTHING_SELECTED });
  }

  /** Other notes of the same recording: nothing moves. */
  function setNotes(notes) {
    stage.set({ notes });
  }

  function showPosition() {
    const { follow, view } = stage.get();
    if (follow && transport.state.get().playing) {
      const next = following(view, transport.position);
      if (next !== view) stage.set({ view: next });
    }
    drawOverlaySoon();
    minimap.redraw();
  }
}

function drawAll(on, what) {
  drawRoll(on, what);
  drawEdits(on, what);
}

/** Draw a canvas again, once per frame, when it is asked for or has another size. */
function surface(canvas, draw, what) {
  let ready = null;
  const soon = oncePerFrame(() => {
    const on = ready();
    if (on.width) draw(on, what());
  });
  ready = sharpCanvas(canvas, soon);
  return soon;
}

function drawPlayhead({ ctx, width, height }, { view, notes, palette, hushed, position, playing }, top) {
  ctx.clearRect(0, 0, width, height);
  const { left, x } = timeAxis(view, width);
  const at = x(position);
  if (at >= left - 1 && at <= width) {
    ctx.fillStyle = palette.playhead;
    ctx.fillRect(at - 0.75, 0, 1.5, height);
  }
  if (!playing) return;
  const [from, to] = notes.between(position, position);
  const pressed = new Set();
  for (let i = from; i < to; i++) if (notes.offset[i] > position && !hushed.has(notes.program[i])) pressed.add(notes.pitch[i]);
  ctx.translate(0, top);
  drawKeys(ctx, width, height - top, { view, palette, pressed });
}

function toolbar(stage, transport) {
  const zoom = (factor) => () => {
    const { view } = stage.get();
    const at = transport.position;
    const seen = at >= view.start && at <= view.end;
    stage.set({ view: zoomed(view, factor, seen ? at : (view.start + view.end) / 2) });
  };
  const fit = () => stage.set({ view: fitted(stage.get().view.duration, stage.get().notes.range()) });
  const follow = button("Follow", () => stage.set({ follow: !stage.get().follow }), { "aria-pressed": "true", id: "follow", title: "Keep the playhead in sight" });
  const range = h("span", { class: "range" });
  stage.watch(["follow"], (state) => follow.setAttribute("aria-pressed", String(state.follow)));
  const bars = button("Bars", () => stage.set({ bars: !stage.get().bars }), { id: "bars", title: "Bars of the MIDI file instead of seconds" });
  stage.watch(["bars"], (state) => bars.setAttribute("aria-pressed", String(state.bars)));
  stage.watch(["view"], ({ view }) => setText(range, `${clock(view.start)} – ${clock(view.end)}`));
  return h("div", { class: "row spread toolbar" },
    h("p", { class: "legend" }, h("span", { class: "legend-loudness" }, h("span", { class: "legend-loud" }), "shade: loudness"), h("span", { class: "legend-sure" }), "thickness: certainty"),
    h("div", { class: "row tight" }, range,
      button("−", zoom(1.6), { id: "zoom-out", "aria-label": "Zoom out" }), button("+", zoom(1 / 1.6), { id: "zoom-in", "aria-label": "Zoom in" }),
      button("Fit", fit, { id: "fit" }), follow, bars));
}

/** Who plays a note, where that is a question. */
function playerOf(notes, i) {
  if (notes.programs.length < 2) return "";
  return ` · ${instrumentOf(notes.program[i]).label}, ${Math.round(notes.instrumentConfidence[i] * 100)} % sure`;
}

/** What is under the pointer. */
function showTips(canvas, tip, stage) {
  canvas.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  canvas.addEventListener("pointermove", (event) => {
    const { view, notes } = stage.get();
    const time = timeAxis(view, canvas.clientWidth).time(event.offsetX);
    const i = event.buttons ? -1 : notes.at(time, pitchAxis(view, canvas.clientHeight).pitch(event.offsetY));
    tip.hidden = i < 0;
    if (i < 0) return;
    setText(tip, `${pitchName(notes.pitch[i])} · ${clock(notes.onset[i], 2)} – ${clock(notes.offset[i], 2)} · velocity ${notes.velocity[i]} · ${Math.round(notes.confidence[i] * 100)} % sure${playerOf(notes, i)}`);
    const x = Math.min(event.offsetX + 12, canvas.clientWidth - tip.offsetWidth - 4);
    tip.style.transform = `translate(${Math.max(4, x)}px, ${canvas.offsetTop + event.offsetY + 16}px)`;
  });
}

/** Keys for the whole page, and the panel that lists them. */

import { button, byId, h } from "./dom.js";
import { fitted, zoomed } from "./view.js";
import { changeSpeed } from "./transport-bar.js";

const SETTING = "single-key-shortcuts";
const LISTED = [
  ["Space", "Play or pause"], ["← →", "Back or on a second; with Shift five"], ["Home", "To the start"],
  ["[ ]", "Loop from here, to here"], ["L", "Loop on or off"], [", .", "Slower, faster"],
  ["1 2 3", "Original, both, notes"], ["+ −", "Zoom in, out"], ["0", "Fit all"], ["E", "Edit the notes"], ["?", "This list"],
];
const EDITING = [
  ["Enter", "Choose the next note; with Shift the one before"], ["← → ↑ ↓", "Move what is chosen; with Shift its end, or an octave"],
  ["N", "Add a note at the playhead"], ["Delete", "Remove"], ["Ctrl A", "Choose all"], ["Ctrl Z", "Undo; with Shift redo"],
  ["Ctrl S", "Save"], ["Esc", "Choose nothing; stop editing"],
];
const ON_ROLL = [["↑ ↓ ← →", "Move"], ["Shift ↑ ↓", "Zoom the pitches"], ["Wheel", "Zoom; with Shift move, with Alt zoom the pitches"]];

/** @param {import("./transport.js").transport} transport @param {ReturnType<typeof import("./result.js").createResult>} result */
export function handleShortcuts(transport, result) {
  const panel = byId("shortcuts");
  fill(panel);
  byId("shortcuts-button").addEventListener("click", () => panel.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !enabled() || isTaken(event)) return;
    const action = event.key === "?" ? () => panel.showModal() : actionsFor(transport, result, event)[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionsFor(transport, { stage, edit }, event) {
  if (!transport.state.get().duration) return {};
  const { position } = transport;
  const { loop, duration } = transport.state.get();
  const zoom = (factor) => () => stage.set({ view: zoomed(stage.get().view, factor, position) });
  const second = event.shiftKey ? 5 : 1;
  return {
    " ": () => transport.toggle(),
    ArrowLeft: () => transport.skip(-second), ArrowRight: () => transport.skip(second), Home: () => transport.seek(0),
    "[": () => position < duration && transport.setLoop({ start: position, end: loop && loop.end > position ? loop.end : duration }),
    "]": () => position > 0 && transport.setLoop({ start: loop && loop.start < position ? loop.start : 0, end: position }),
    l: () => transport.setLooping(!transport.state.get().looping),
    ",": () => changeSpeed(transport, -1), ".": () => changeSpeed(transport, 1),
    1: () => transport.setBalance(0), 2: () => transport.setBalance(0.5), 3: () => transport.setBalance(1),
    e: edit,
    "+": zoom(0.8), "=": zoom(0.8), "-": zoom(1.25),
    0: () => stage.set({ view: fitted(duration, stage.get().notes.range()) }),
  };
}

/** Keys that the focused element needs itself. */
function isTaken({ target, key, defaultPrevented }) {
  if (defaultPrevented || document.querySelector("dialog[open]")) return true;
  if (target.closest("input, select, textarea")) return target.type !== "range" || key.startsWith("Arrow") || key === "Home";
  return key === " " && target.closest("button, a, summary") !== null;
}

/** Speech input and trembling hands press single keys by mistake, so they can be turned off (WCAG 2.1.4). */
function enabled() {
  return localStorage.getItem(SETTING) !== "off";
}

function fill(panel) {
  const setting = h("input", { type: "checkbox", id: SETTING, checked: enabled(), on: { change: () => localStorage.setItem(SETTING, setting.checked ? "on" : "off") } });
  panel.append(h("h2", { id: "shortcuts-title" }, "Shortcuts"), table(LISTED), h("h3", {}, "On the roll"), table(ON_ROLL),
    h("h3", {}, "On the roll, while editing"), table(EDITING),
    h("p", {}, h("label", { class: "row tight" }, setting, "Shortcuts of a single key")),
    h("div", { class: "row end" }, button("Close", () => panel.close())));
}

function table(rows) {
  return h("dl", { class: "keys" }, ...rows.flatMap(([keys, what]) => [h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)]));
}

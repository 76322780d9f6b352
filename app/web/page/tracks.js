/** The instruments of the open recording: how many notes each has, which are heard, what their tracks are called. */

import { button, h, setText } from "./dom.js";
import { counted } from "./format.js";
import { inScoreOrder, instrumentOf } from "./instruments.js";
import { createStore } from "./store.js";

const LONGEST_NAME = 60;

/**
 * Nothing is shown for a piano alone, and no controls for any other instrument alone.
 *
 * @param {object} stage the roll's store: `notes`, `palette`, and `hushed`, which is set here
 * @param {{transport: import("./transport.js").transport, editor: ReturnType<typeof import("./editor.js").createEditor>}} to
 */
export function createTracks(stage, { transport, editor }) {
  const state = createStore({ muted: new Set(), soloed: new Set() });
  const list = h("ul", { class: "track-list" });
  const alone = h("p", { class: "hint-text" });
  const element = h("section", { class: "tracks", "aria-label": "Instruments", hidden: true }, list, alone);
  /** Rows stay as long as their instrument does, and with them the focus. */
  const rows = new Map();

  stage.watch(["notes"], showRows);
  stage.watch(["palette"], paint);
  editor.state.watch(["names"], name);
  state.watch(["muted", "soloed"], hush);
  return { element, reset };

  /** Another recording: all are heard. */
  function reset() {
    state.set({ muted: new Set(), soloed: new Set() });
  }

  function showRows({ notes }) {
    const programs = inScoreOrder(notes.programs);
    const several = programs.length > 1;
    const listed = several ? programs : [];
    element.hidden = !several && (programs[0] ?? 0) === 0;
    list.hidden = !several;
    alone.hidden = several;
    setText(alone, several || element.hidden ? "" : `Played by the ${instrumentOf(programs[0]).name}`);
    if ([...rows.keys()].join() !== listed.join()) {
      const kept = listed.map((program) => [program, rows.get(program) ?? createRow(program)]);
      rows.clear();
      for (const [program, row] of kept) rows.set(program, row);
      list.replaceChildren(...kept.map(([, row]) => row.element));
      paint();
      name();
    }
    for (const [program, row] of rows) setText(row.count, counted(notes.count(program), "note"));
    hush();
  }

  function createRow(program) {
    const { name: instrument, label, short } = instrumentOf(program);
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" }, short);
    const field = h("input", {
      type: "text", class: "track-name", id: `track-${program}`, maxLength: LONGEST_NAME, title: "Rename", autocomplete: "off",
      "aria-label": `Name of the ${instrument} track`, on: { change: renamed, keydown: leave },
    });
    const count = h("span", { class: "track-count" });
    const mute = button("Mute", () => flip("muted", program), { class: "small", "aria-label": `Mute ${instrument}` });
    const solo = button("Solo", () => flip("soloed", program), { class: "small", "aria-label": `Solo ${instrument}` });
    return { element: h("li", { class: "track" }, swatch, field, count, mute, solo), swatch, field, count, mute, solo };

    function renamed() {
      const wanted = field.value.trim();
      editor.rename(instrument, wanted === label ? "" : wanted);
      name();
    }
  }

  function flip(which, program) {
    const present = state.get()[which];
    const others = [...present].filter((one) => one !== program);
    state.set({ [which]: new Set(present.has(program) ? others : [...others, program]) });
  }

  /** Solo is stronger than mute, as on a mixing desk. */
  function hush() {
    const { muted, soloed } = state.get();
    const { programs } = stage.get().notes;
    const anySolo = programs.some((program) => soloed.has(program));
    const silent = (program) => (anySolo ? !soloed.has(program) : muted.has(program));
    const hushed = new Set(programs.length > 1 ? programs.filter(silent) : []);
    for (const [program, row] of rows) {
      row.mute.setAttribute("aria-pressed", String(muted.has(program)));
      row.solo.setAttribute("aria-pressed", String(soloed.has(program)));
      row.element.classList.toggle("hushed", hushed.has(program));
    }
    if ([...hushed].join() === [...stage.get().hushed].join()) return;
    stage.set({ hushed });
    transport.setHushed(hushed);
  }

  function paint() {
    const { palette } = stage.get();
    for (const [program, { swatch }] of rows) {
      const { heard, ink } = palette.track(program);
      Object.assign(swatch.style, { background: heard.css, color: ink });
    }
  }

  function name() {
    const { names } = editor.state.get();
    for (const [program, { field }] of rows) {
      const { name: instrument, label } = instrumentOf(program);
      field.value = field.defaultValue = names[instrument] ?? label;
      field.placeholder = label;
    }
  }
}

/** Enter takes the name, Escape leaves it as it was. */
function leave(event) {
  if (event.key === "Escape") event.target.value = event.target.defaultValue;
  if (event.key === "Escape" || event.key === "Enter") event.target.blur();
}

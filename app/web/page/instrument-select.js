/** Which instrument plays the selected notes. */

import { h } from "./dom.js";
import { INSTRUMENTS, instrumentOf } from "./instruments.js";

/** @param {(program: number) => void} chosen */
export function createInstrumentSelect(chosen) {
  const none = h("option", { value: "" }, "");
  const select = h("select", { id: "note-instrument", class: "small", on: { change: () => select.value && chosen(Number(select.value)) } },
    none, ...INSTRUMENTS.map(({ program, label }) => h("option", { value: String(program) }, label)));
  return { element: h("label", { class: "field" }, "Instrument ", select), show };

  /** @param {import("./edits.js").Note[]} selection */
  function show(selection) {
    const programs = [...new Set(selection.map((note) => note.program))];
    const [program] = programs;
    const known = programs.length === 1 && INSTRUMENTS.some((one) => one.program === program);
    select.disabled = !programs.length;
    // Told, and not to be chosen.
    none.textContent = programs.length > 1 ? "Several" : known || !programs.length ? "" : instrumentOf(program).label;
    none.hidden = programs.length > 0;
    select.value = known ? String(program) : "";
  }
}

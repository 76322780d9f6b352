/** Which instruments may play: part of tuning. Chosen none, any may. */

import { h, setText } from "./dom.js";
import { INSTRUMENTS } from "./instruments.js";

const NAME = "instruments";

/** A field as the others of controls.js. @param {(name: string) => void} changed */
export function createInstrumentOptions(changed) {
  const boxes = INSTRUMENTS.map(({ name }) => h("input", { type: "checkbox", id: `may-play-${name}`, value: name, on: { change: () => { tell(); changed(NAME); } } }));
  const hint = h("small", { id: "instruments-hint" });
  const element = h("fieldset", { class: "plain may-play", "aria-describedby": hint.id },
    h("legend", {}, "Instruments"),
    h("div", { class: "row tight" }, ...boxes.map((box, i) => h("label", { class: "chip" }, box, INSTRUMENTS[i].label))), hint);
  tell();
  return { name: NAME, element, get, set };

  /** As the API takes it. */
  function get() {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    return chosen.length ? chosen : "auto";
  }

  /** @param {"auto" | string[]} value */
  function set(value) {
    for (const box of boxes) box.checked = value !== "auto" && value.includes(box.value);
    tell();
  }

  function tell() {
    const count = boxes.filter((box) => box.checked).length;
    setText(hint, count === 0 ? "Any may play; choose to allow only some" : count === 1 ? "It plays every note" : "Only these may play");
  }
}

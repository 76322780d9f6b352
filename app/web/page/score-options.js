/** What a person knows better than the analysis: tempo, time signature, key, where a bar begins, how much is shown. */

import { button, h } from "./dom.js";

const SIGNATURES = ["2/4", "3/4", "4/4", "5/4", "6/4", "2/2", "3/2", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8"];
const MAJOR = ["C", "G", "D", "A", "E", "B", "F#", "C#", "F", "Bb", "Eb", "Ab", "Db", "Gb", "Cb"];
const MINOR = ["a", "e", "b", "f#", "c#", "g#", "d#", "a#", "d", "g", "c", "f", "bb", "eb", "ab"];
const DETAILS = [["readable", "Readable"], ["full", "Everything"], ["melody", "Melody alone"]];

/** @param {object} transport @param {() => void} onChange */
export function createScoreOptions(transport, onChange) {
  const tempo = h("input", { type: "number", id: "score-tempo", min: "20", max: "400", step: "any", inputMode: "decimal", on: { change } });
  const signature = choice("score-signature", [["", "Found"], ...SIGNATURES.map((text) => [text, text])]);
  const key = choice("score-key", [["", "Found"], ...MAJOR.map((name) => [name, keyName(name)]), ...MINOR.map((name) => [name, keyName(name)])]);
  const first = h("input", { type: "number", id: "score-first", min: "0", step: "any", inputMode: "decimal", on: { change } });
  const detail = choice("score-detail", DETAILS);
  const here = button("Playhead", setHere, { id: "score-here", title: "A bar begins where the playhead is" });
  const reset = button("As found", () => clear() || onChange(), { id: "score-reset", class: "quiet" });
  const element = h("form", { class: "row score-options", "aria-label": "Correct the score", on: { submit: (event) => event.preventDefault() } },
    field("Tempo", tempo), field("Time", signature), field("Key", key), field("A bar begins at (s)", first), here, field("Show", detail), reset);
  return { element, query, tell, clear };

  /** What is not left to the analysis. @returns {Record<string, string>} */
  function query() {
    const all = { tempo: tempo.value, time_signature: signature.value, key: key.value, first_downbeat: first.value, detail: detail.value };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
  }

  /** Say what was found where nothing was said. @param {object} score */
  function tell(score) {
    tempo.placeholder = String(Math.round(score.tempo));
    first.placeholder = score.first_downbeat.toFixed(2);
    signature.options[0].text = signature.value ? "Found" : `Found: ${score.time_signature}`;
    key.options[0].text = key.value ? "Found" : `Found: ${keyName(score.key)}`;
  }

  function clear() {
    for (const input of [tempo, signature, key, first]) input.value = "";
    detail.value = "readable";
  }

  function setHere() {
    first.value = transport.position.toFixed(2);
    onChange();
  }

  function change() {
    if (tempo.reportValidity() && first.reportValidity()) onChange();
  }

  function choice(id, values) {
    return h("select", { id, on: { change } }, ...values.map(([value, label]) => h("option", { value }, label)));
  }
}

function field(label, input) {
  return h("label", { class: "field" }, label, input);
}

/** @param {string} name major with a capital letter, minor with a small one */
function keyName(name) {
  const letter = `${name[0].toUpperCase()}${name.slice(1).replace("#", "♯").replace("b", "♭")}`;
  return `${letter} ${name[0] === name[0].toUpperCase() ? "major" : "minor"}`;
}

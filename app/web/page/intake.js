/** Ways in: drop, choose, record, or the example. */

import { readBytes } from "./api.js";
import { clock } from "./format.js";
import { announce, button, byId, h, setText } from "./dom.js";
import { canRecord, startRecording } from "./recorder.js";
import { addFiles } from "./uploads.js";

const EXAMPLE = { address: "/example/evening-walk.mp3", name: "Evening walk (example).mp3" };

/** @param {HTMLElement} place */
export function showIntake(place) {
  const note = h("p", { class: "note bad", role: "alert", hidden: true });
  const choose = h("input", {
    type: "file", id: "files", multiple: true, accept: "audio/*,video/*", class: "visually-hidden",
    on: { change: () => takeChosen(choose) },
  });
  place.append(
    h("label", { class: "drop", for: "files" },
      h("strong", {}, "Drop recordings here"),
      h("span", {}, "or ", h("u", {}, "choose files")),
      h("small", {}, "WAV, FLAC, MP3, Ogg, M4A, WebM, video")),
    choose,
    h("div", { class: "row" }, recordButton(note), button("Open the example", () => openExample(note), { id: "example" })),
    note,
  );
  // The label follows its input, so that the focus ring can be drawn around it.
  place.prepend(choose);
}

/** Take files that are dropped anywhere on the page. */
export function acceptDrops() {
  const veil = byId("drop-veil");
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    addFiles(event.dataTransfer.files);
  });
}

function takeChosen(input) {
  addFiles(input.files);
  // Choosing the same file again is a change again.
  input.value = "";
}

async function openExample(note) {
  note.hidden = true;
  try {
    const bytes = await readBytes(EXAMPLE.address);
    addFiles([new File([bytes], EXAMPLE.name, { type: "audio/mpeg" })]);
  } catch (problem) {
    say(note, `The example could not be opened. ${problem.message}`);
  }
}

function recordButton(note) {
  if (!canRecord()) return button("Record", () => say(note, "Recording needs a browser with microphone access, over HTTPS or on this machine."), { id: "record" });
  let stop = null;
  let ticking = 0;
  const toggle = button("Record", press, { id: "record", "aria-pressed": "false" });
  addEventListener("beforeunload", (event) => stop && event.preventDefault());
  return toggle;

  async function press() {
    note.hidden = true;
    toggle.disabled = true;
    try {
      if (stop) await end();
      else await begin();
    } catch (error) {
      say(note, error.message);
    }
    toggle.disabled = false;
  }

  async function begin() {
    const recording = await startRecording();
    stop = recording.finish;
    recording.ended.then(() => stop === recording.finish && end());
    const since = performance.now();
    const show = () => setText(toggle, `Stop ${clock((performance.now() - since) / 1000)}`);
    ticking = setInterval(show, 500);
    show();
    toggle.setAttribute("aria-pressed", "true");
    announce("Recording");
  }

  async function end() {
    clearInterval(ticking);
    const finish = stop;
    stop = null;
    setText(toggle, "Record");
    toggle.setAttribute("aria-pressed", "false");
    addFiles([await finish()]);
    announce("Recording ended");
  }
}

function say(note, text) {
  note.textContent = text;
  note.hidden = false;
}

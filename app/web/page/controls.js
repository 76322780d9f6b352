/** Tuning: sliders that decode the notes again while they move. The network does not run for it. */

import { adviceOn } from "./advice.js";
import { decodeJob } from "./api.js";
import { createConcertPitch } from "./concert-pitch.js";
import { announce, button, h, setText } from "./dom.js";
import { counted, pitchName } from "./format.js";
import { createInstrumentOptions } from "./instrument-options.js";
import { advice } from "./job-parts.js";
import { findJob, keepJob } from "./store.js";

const DEBOUNCE_MS = 60;

const percent = (value) => `${Math.round(value * 100)} %`;
const SLIDERS = [
  { name: "onset_threshold", label: "Onset threshold", hint: "Higher: fewer notes, only the clear ones", min: 0.01, max: 0.99, step: 0.01, say: percent },
  { name: "frame_threshold", label: "Frame threshold", hint: "Higher: notes end sooner", min: 0.01, max: 0.99, step: 0.01, say: percent },
  { name: "min_note_ms", label: "Shortest note", hint: "Shorter ones are left out", min: 0, max: 1000, step: 5, say: (value) => `${value} ms` },
  { name: "lowest_pitch", label: "Lowest pitch", hint: "Nothing below it", min: 21, max: 108, step: 1, say: pitchName },
  { name: "highest_pitch", label: "Highest pitch", hint: "Nothing above it", min: 21, max: 108, step: 1, say: pitchName },
];

/** The panel for whatever job is given to `show`. @param {{onTune: () => void}} to called when other notes are asked for */
export function createControls({ onTune }) {
  let jobId = null;
  /** What the fields say: a job that is told again, as while another one runs, does not take from a hand what it is on. */
  let shown = null;
  const sliders = SLIDERS.map((spec) => createSlider(spec, changed));
  const tempo = createTempo(changed);
  const fields = [...sliders, tempo, createInstrumentOptions(changed)];
  const concertPitch = createConcertPitch();
  const failure = h("div", { class: "message" });
  const busy = h("span", { class: "busy", hidden: true }, "Decoding…");
  const sender = createSender({ onBusy: (is) => { busy.hidden = !is; }, onDone: done, onFailed: failed });
  const reset = button("Reset to defaults", toDefaults, { id: "reset" });
  const parts = h("fieldset", { class: "plain", "aria-label": "Tuning" },
    h("div", { class: "tune-grid" }, ...fields.map((field) => field.element), concertPitch.element), h("div", { class: "row" }, reset, busy));
  const why = h("p", { class: "hint-text", hidden: true }, "Save or discard your edits first: tuning finds the notes anew.");
  const element = h("details", { class: "tune", open: true }, h("summary", {}, "Tune the notes"), why, parts, failure);
  return { element, show, setEnabled };

  /** Show a job's options, but for what a hand is on. */
  function show(job) {
    const options = JSON.stringify([job.id, job.options]);
    if (jobId !== job.id) concertPitch.show(job);
    jobId = job.id;
    if (sender.pending || options === shown) return;
    shown = options;
    for (const field of fields) field.set(job.options[field.name]);
  }

  /** @param {boolean} enabled */
  function setEnabled(enabled) {
    parts.disabled = !enabled;
    why.hidden = enabled;
  }

  function toDefaults() {
    shown = null;
    sender.send(jobId, {});
    onTune();
  }

  function changed(name) {
    keepPitchesInOrder(sliders, name);
    sender.sendSoon(jobId, Object.fromEntries(fields.filter((field) => field.valid()).map((field) => [field.name, field.get()])));
    onTune();
  }

  function done(job) {
    failure.replaceChildren();
    keepJob(job);
    announce(counted(job.result.n_notes, "note"));
  }

  function failed(problem) {
    failure.replaceChildren(advice(adviceOn(problem)));
    const job = findJob(jobId);
    shown = null;
    if (job) show(job);
  }
}

/** One request at a time, and of all that was wanted meanwhile only the last. */
function createSender({ onBusy, onDone, onFailed }) {
  let next = null;
  let running = false;
  let timer = 0;
  return {
    get pending() {
      return next !== null || timer !== 0;
    },
    sendSoon(jobId, options) {
      clearTimeout(timer);
      timer = setTimeout(() => this.send(jobId, options), DEBOUNCE_MS);
    },
    send(jobId, options) {
      clearTimeout(timer);
      timer = 0;
      next = { jobId, options };
      if (!running) run();
    },
  };

  async function run() {
    running = true;
    onBusy(true);
    while (next) {
      const { jobId, options } = next;
      next = null;
      const job = findJob(jobId);
      if (job) await decodeJob(job, options).then(onDone, onFailed);
    }
    running = false;
    onBusy(false);
  }
}

function createSlider({ name, label, hint, min, max, step, say }, changed) {
  const output = h("output", { for: name });
  const input = h("input", { type: "range", id: name, min, max, step, "aria-describedby": `${name}-hint`, on: { input: () => { tell(); changed(name); } } });
  const tell = () => {
    setText(output, say(Number(input.value)));
    input.setAttribute("aria-valuetext", say(Number(input.value)));
  };
  const element = h("div", { class: "slider" },
    h("div", { class: "row spread" }, h("label", { for: name }, label), output), input, h("small", { id: `${name}-hint` }, hint));
  return {
    name, element,
    get: () => Number(input.value),
    set: (value) => { input.value = String(value); tell(); },
    valid: () => true,
  };
}

function createTempo(changed) {
  const name = "tempo";
  const input = h("input", { type: "number", id: name, min: 20, max: 400, step: 1, "aria-describedby": "tempo-hint", on: { change: () => input.validity.valid && changed(name) } });
  const element = h("div", { class: "slider" },
    h("div", { class: "row spread" }, h("label", { for: name }, "Tempo of the MIDI file"), input),
    h("small", { id: "tempo-hint" }, "20 to 400; its grid only, times stay"));
  return { name, element, get: () => Number(input.value), set: (value) => { input.value = String(value); }, valid: () => input.value !== "" && input.validity.valid };
}

/** The one that is moved pushes the other. */
function keepPitchesInOrder(sliders, moved) {
  const low = sliders.find((one) => one.name === "lowest_pitch");
  const high = sliders.find((one) => one.name === "highest_pitch");
  if (low.get() <= high.get()) return;
  if (moved === "lowest_pitch") high.set(low.get());
  else low.set(high.get());
}

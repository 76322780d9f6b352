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
  const sender = createSender(fields.map((field) => field.name), { onBusy: (is) => { busy.hidden = !is; }, onDone: done, onFailed: failed });
  const reset = button("Reset to defaults", toDefaults, { id: "reset" });
  const parts = h("fieldset", { class: "plain", "aria-label": "Tuning" },
    h("div", { class: "tune-grid" }, ...fields.map((field) => field.element), concertPitch.element), h("div", { class: "row" }, reset, busy));
  const why = h("p", { class: "hint-text", hidden: true }, "Save or discard your edits first: tuning finds the notes anew.");
  const element = h("details", { class: "tune", open: true }, h("summary", {}, "Tune the notes"), why, parts, failure);
  return { element, show, setEnabled };

  /** Show a job's options, but for what a hand is on. */
  function show(job) {
    const options = JSON.stringify([job.id, job.options]);
    if (jobId !== job.id) {
      concertPitch.show(job);
      failure.replaceChildren();
    }
    jobId = job.id;
    if (sender.waits(job.id) || options === shown) return;
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
    sender.reset(jobId);
    onTune();
  }

  function changed(name) {
    const names = [name, ...pushedBy(name, sliders)];
    sender.change(jobId, Object.fromEntries(fields.filter((field) => names.includes(field.name)).map((field) => [field.name, field.get()])));
    onTune();
  }

  function done(job) {
    keepJob(job);
    if (job.id !== jobId) return;
    failure.replaceChildren();
    announce(counted(job.result.n_notes, "note"));
  }

  function failed(id, problem) {
    const job = findJob(id);
    if (id !== jobId) return; // its fields say what it has, when it is opened again
    failure.replaceChildren(advice(adviceOn(problem)));
    shown = null;
    if (job) show(job);
  }
}

/**
 * One request at a time; what is changed meanwhile goes along with the next.
 *
 * A field may show less than the job has, as a slider shows its nearest step. So what a hand has not changed is sent as
 * the job has it, and not as it is shown.
 *
 * @param {string[]} names of the options that can be sent
 */
function createSender(names, { onBusy, onDone, onFailed }) {
  /** @type {Map<string, {anew: boolean, changes: object}>} by job; `anew` where all else is to take its default */
  const wishes = new Map();
  let running = false;
  let timer = 0;
  return { waits: (jobId) => wishes.has(jobId), change, reset };

  function change(jobId, changes) {
    const wish = wishes.get(jobId) ?? { anew: false, changes: {} };
    wishes.set(jobId, { ...wish, changes: { ...wish.changes, ...changes } });
    clearTimeout(timer);
    timer = setTimeout(run, DEBOUNCE_MS);
  }

  function reset(jobId) {
    wishes.set(jobId, { anew: true, changes: {} });
    clearTimeout(timer);
    run();
  }

  async function run() {
    if (running) return;
    running = true;
    onBusy(true);
    while (wishes.size) {
      const [[jobId, wish]] = wishes;
      wishes.delete(jobId);
      await send(jobId, wish);
    }
    running = false;
    onBusy(false);
  }

  async function send(jobId, { anew, changes }) {
    const job = findJob(jobId);
    if (!job) return;
    const present = Object.fromEntries(names.filter((name) => name in job.options).map((name) => [name, job.options[name]]));
    await decodeJob(job, { ...(anew ? {} : present), ...changes }).then(onDone, (problem) => {
      // The fields show this change together with those that were made since.
      const since = wishes.get(jobId);
      if (since && !since.anew) wishes.set(jobId, { anew, changes: { ...changes, ...since.changes } });
      onFailed(jobId, problem);
    });
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
  };
}

function createTempo(changed) {
  const name = "tempo";
  const input = h("input", { type: "number", id: name, min: 20, max: 400, step: "any", required: true, "aria-describedby": "tempo-hint", on: { change: () => input.reportValidity() && changed(name) } });
  const element = h("div", { class: "slider" },
    h("div", { class: "row spread" }, h("label", { for: name }, "Tempo of the MIDI file"), input),
    h("small", { id: "tempo-hint" }, "20 to 400; its grid only, times stay"));
  return { name, element, get: () => Number(input.value), set: (value) => { input.value = String(value); } };
}

/** The limit of pitch that is moved pushes the other. @returns {string[]} what was pushed */
function pushedBy(moved, sliders) {
  const low = sliders.find((one) => one.name === "lowest_pitch");
  const high = sliders.find((one) => one.name === "highest_pitch");
  if (low.get() <= high.get()) return [];
  const [pushed, by] = moved === "lowest_pitch" ? [high, low] : [low, high];
  pushed.set(by.get());
  return [pushed.name];
}

/** A finished recording: what it is, what to take, the picture, the sound, the tuning. */

import { adviceOn } from "./advice.js";
import { readRoll } from "./api.js";
import { createControls } from "./controls.js";
import { button, h, setText } from "./dom.js";
import { clock, counted, day, stem } from "./format.js";
import { advice, cancelOrDelete } from "./job-parts.js";
import { NoteList } from "./notes.js";
import { createRoll } from "./roll.js";
import { linkTo } from "./route.js";
import { store } from "./store.js";
import { transport } from "./transport.js";
import { createTransportBar } from "./transport-bar.js";
import { readPeaks } from "./waveform.js";

/** One for the page; `show` is called with every new state of the open job, `leave` when another is opened. */
export function createResult() {
  const roll = createRoll(transport);
  const controls = createControls();
  const head = createHead();
  const failure = h("div", { class: "message" });
  const element = h("article", { class: "result" }, head.element, failure, roll.element,
    createTransportBar(transport, roll.showPosition), controls.element);
  let shown = { id: null, revision: null };
  let abort = new AbortController();
  return { element, show, leave, stage: roll.stage };

  function show(job) {
    head.show(job);
    controls.show(job);
    const { id, revision } = shown;
    if (id === job.id && revision === job.result.revision) return;
    shown = { id: job.id, revision: job.result.revision };
    load(job, id !== job.id);
  }

  function leave() {
    abort.abort();
    transport.close();
    shown = { id: null, revision: null };
    store.set({ roll: null });
  }

  async function load(job, isNew) {
    if (isNew) {
      abort.abort();
      abort = new AbortController();
      transport.close();
      roll.open(new NoteList([]), job.audio?.duration ?? 1);
    }
    try {
      const { notes, duration } = await readRoll(job);
      if (shown.id === job.id && shown.revision === job.result.revision) take(job, new NoteList(notes), duration, isNew);
      failure.replaceChildren();
    } catch (problem) {
      if (shown.id !== job.id) return;
      const again = button("Try again", () => load(job, isNew));
      failure.replaceChildren(advice(adviceOn(problem), again));
    }
  }

  function take(job, notes, duration, isNew) {
    const opened = isNew || store.get().roll?.jobId !== job.id;
    store.set({ roll: { jobId: job.id, revision: job.result.revision, notes, duration } });
    if (opened) {
      transport.open(job.links.audio, duration);
      roll.open(notes, duration);
      showPeaks(job, duration, notes);
    } else roll.setNotes(notes);
    transport.setNotes(notes);
  }

  async function showPeaks(job, duration, notes) {
    const peaks = await readPeaks(job.links.audio, { duration, notes, signal: abort.signal });
    if (shown.id === job.id) roll.stage.set({ peaks });
  }
}

function createHead() {
  const title = h("h1", {});
  const facts = h("p", { class: "facts" });
  const warnings = h("ul", { class: "warnings" });
  const midi = h("a", { class: "button primary", id: "take-midi" }, "MIDI");
  const json = h("a", { class: "button", id: "take-json" }, "JSON");
  const csv = h("a", { class: "button", id: "take-csv" }, "CSV");
  const link = button("Copy link", copyLink, { id: "copy-link" });
  const remove = button("Delete", () => cancelOrDelete(id), { id: "delete", class: "danger-quiet" });
  let id = null;
  const element = h("header", { class: "head" },
    h("div", {}, title, facts, warnings),
    h("div", { class: "row takes" }, h("span", { class: "takes-label" }, "Download"), midi, json, csv, h("span", { class: "gap" }), link, remove));
  return { element, show };

  function show(job) {
    id = job.id;
    setText(title, stem(job.file.name));
    setText(facts, [clock(job.audio?.duration ?? 0), counted(job.result.n_notes, "note"), `kept until ${day(job.expires_at)}`].join(" · "));
    warnings.replaceChildren(...job.result.warnings.map((warning) => h("li", {}, warning)));
    for (const [anchor, address, ending] of [[midi, job.links.midi, "mid"], [json, job.links.piano_roll, "json"], [csv, job.links.notes_csv, "csv"]]) {
      anchor.href = address;
      anchor.download = `${stem(job.file.name)}.${ending}`;
    }
  }

  async function copyLink() {
    const copied = await navigator.clipboard?.writeText(linkTo(id)).then(() => true, () => false);
    setText(link, copied ? "Copied" : "The address bar has it");
    setTimeout(() => setText(link, "Copy link"), 2000);
  }
}

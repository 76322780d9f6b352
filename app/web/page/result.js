/** A finished recording: what it is, what to take, the picture, the sound, editing, tuning. */

import { adviceOn } from "./advice.js";
import { a4Of } from "./concert-pitch.js";
import { createControls } from "./controls.js";
import { button, h } from "./dom.js";
import { createEditBar } from "./edit-bar.js";
import { handleEdits } from "./edit-input.js";
import { handleEditKeys } from "./edit-keys.js";
import { createEditor } from "./editor.js";
import { createHead } from "./head.js";
import { advice } from "./job-parts.js";
import { NoteList } from "./notes.js";
import { createRoll } from "./roll.js";
import { createScoreTabs } from "./score-tabs.js";
import { findJob, keepJob, store } from "./store.js";
import { createTracks } from "./tracks.js";
import { transport } from "./transport.js";
import { createTransportBar } from "./transport-bar.js";
import { createVersions } from "./versions.js";
import { readPeaks } from "./waveform.js";

const MIDDLE_C = 60;

/** One for the page; `show` is called with every new state of the open job, `leave` when another is opened. */
export function createResult() {
  const versions = createVersions();
  const roll = createRoll(transport);
  const editor = createEditor(roll.stage, { onNotes: showNotes, audition: (note) => transport.audition(note) });
  const bar = createEditBar(editor, { add: addAtPlayhead, keep, refresh: () => versions.catchUp(findJob(shown.id)) });
  const tracks = createTracks(roll.stage, { transport, editor });
  const controls = createControls({ onTune: () => versions.choose(0) });
  const head = createHead(versions, editor.state);
  const failure = h("div", { class: "message" });
  const tabs = createScoreTabs(roll.element, { versions, transport, editing: editor.state });
  const element = h("article", { class: "result" }, head.element, failure, tabs.list, roll.element, tabs.panel,
    createTransportBar(transport, roll.showPosition), controls.element);
  let shown = { id: null, key: null };
  let abort = new AbortController();

  roll.tools.lastElementChild.append(bar.toggle);
  roll.box.before(tracks.element, bar.element);
  handleEdits(roll.canvas, roll.stage, editor);
  handleEditKeys(editor, { canvas: roll.canvas, position: () => transport.position, add: addAtPlayhead, save: bar.save });
  versions.state.watch(["shown"], () => shown.id && show(findJob(shown.id)));
  store.watch(["dropped"], ({ dropped }) => editor.forget(`${dropped} `));
  editor.state.watch(["dirty"], ({ dirty }) => controls.setEnabled(!dirty));
  addEventListener("beforeunload", (event) => editor.hasUnsaved && event.preventDefault());
  return { element, show, leave, edit, stage: roll.stage };

  /** Begin or end editing by key; where the roll is not seen, begin. */
  function edit() {
    const { hidden } = roll.element;
    tabs.showRoll();
    editor.setActive(hidden || !editor.state.get().active);
    roll.canvas.focus({ preventScroll: true });
  }

  function show(job) {
    if (!job) return;
    const isNew = shown.id !== job.id;
    if (isNew) versions.open(job);
    head.show(job);
    controls.show(job);
    tabs.show(job);
    roll.stage.set({ tempo: job.options.tempo });
    const key = versions.keyOf(job);
    if (shown.key === key) {
      // Its notes may be here and others have been saved elsewhere: nobody waits for these.
      versions.learn(job).catch(() => {});
      return;
    }
    shown = { id: job.id, key };
    load(job, isNew);
  }

  function leave() {
    abort.abort();
    transport.close();
    editor.setActive(false);
    editor.close();
    failure.replaceChildren();
    shown = { id: null, key: null };
    store.set({ roll: null });
  }

  async function load(job, isNew) {
    const { key } = shown;
    if (editor.state.get().name !== historyName(job)) editor.close();
    if (isNew) {
      abort.abort();
      abort = new AbortController();
      transport.close();
      tracks.reset();
      roll.open(new NoteList([]), job.audio?.duration ?? 1);
    }
    try {
      const { notes, duration, track_names: names } = await versions.load(job);
      if (shown.key === key) take(job, { notes: new NoteList(notes), names, duration }, isNew);
      failure.replaceChildren();
    } catch (problem) {
      if (shown.key !== key) return;
      if (!editor.state.get().name) showNotes(new NoteList([]));
      failure.replaceChildren(advice(adviceOn(problem), button("Try again", () => load(job, isNew))));
    }
  }

  function take(job, { notes, names, duration }, isNew) {
    const opened = isNew || store.get().roll?.jobId !== job.id;
    store.set({ roll: { jobId: job.id, revision: job.result.revision, notes, duration } });
    if (opened) {
      transport.open(job.links.audio, duration, a4Of(job));
      roll.open(notes, duration);
      showPeaks(job, duration, notes);
    }
    editor.open(historyName(job), notes, names);
  }

  /** Whatever the notes come from, the picture and the sound have the same. */
  function showNotes(notes) {
    const known = store.get().roll;
    if (known && known.notes !== notes) store.set({ roll: { ...known, notes } });
    roll.setNotes(notes);
    transport.setNotes(notes);
  }

  async function showPeaks(job, duration, notes) {
    const peaks = await readPeaks(job, { duration, notes, signal: abort.signal });
    if (shown.id === job.id) roll.stage.set({ peaks });
  }

  function addAtPlayhead() {
    editor.add(transport.position, editor.state.get().selection[0]?.pitch ?? MIDDLE_C);
    editor.reveal();
  }

  async function keep() {
    const job = findJob(shown.id);
    const { mark } = editor;
    const former = historyName(job);
    if (editor.state.get().name !== former) throw new Error("These notes are not of what is shown.");
    const { number } = await versions.save(job, mark.notes.toArray(), mark.names);
    editor.markKept(former, historyName(job, number), mark);
    if (shown.id === job.id) {
      // What is shown is that version already.
      shown.key = versions.keyOf(job, number);
      versions.choose(number);
    }
    const now = findJob(job.id);
    if (now) keepJob({ ...now, result: { ...now.result, version: number } });
    return number;
  }

  /** Not by the revision: edits of the found notes outlive another decoding. */
  function historyName(job, number = versions.state.get().shown) {
    return `${job.id} ${number}`;
  }
}

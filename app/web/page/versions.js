/** The note lists of the open recording: what the service found, what people made of it, and which of them is shown. */

import { readRoll, readVersions, saveNotes } from "./api.js";
import { createStore } from "./store.js";

export function createVersions() {
  const state = createStore({
    /** @type {object[]} newest first; empty as long as there is only what the service found */
    list: [],
    /** @type {number} number of the one that is shown */
    shown: 0,
  });
  /** Names the notes that were found, as they were last read. */
  let foundTag = "";
  /** An answer that comes when another recording is open already says nothing of that one. */
  let openId = null;
  /** Names the newest notes that whoever edits has seen or heard of; what others saved since is not to be passed over. */
  let base = "";
  /** The newest number that the job has told of, and the list that was asked for then. */
  let told = { number: 0, list: Promise.resolve() };
  return { state, open, choose, linksOf, keyOf, load, learn, catchUp, save };

  /** Another recording: the newest is what people mean. @param {object} job */
  function open(job) {
    openId = job.id;
    foundTag = base = "";
    told = { number: 0, list: Promise.resolve() };
    state.set({ list: [], shown: job.result.version });
  }

  /** @param {number} number */
  function choose(number) {
    state.set({ shown: number });
  }

  /** Where the files of the shown one are. @param {object} job */
  function linksOf(job) {
    return state.get().list.find((one) => one.number === state.get().shown)?.links ?? job.links;
  }

  /** Changes exactly when other notes are to be shown. @param {object} job @param {number} [number] */
  function keyOf(job, number = state.get().shown) {
    return `${job.id} ${number || job.result.revision}`;
  }

  /** The shown notes. @param {object} job */
  async function load(job) {
    await learn(job);
    const { shown } = state.get();
    const roll = await readRoll(linksOf(job));
    if (job.id === openId) {
      if (!shown) foundTag = roll.etag;
      base = newestTag();
    }
    return roll;
  }

  /** A job may tell of versions that others have saved; each is asked for once. @param {object} job */
  async function learn(job) {
    const { version: number } = job.result;
    if (number <= newest()) return;
    if (number > told.number) {
      const asked = { number, list: refresh(job) };
      // Then once more, with the next state of the job.
      asked.list.catch(() => { asked.number = 0; });
      told = asked;
    }
    await told.list;
  }

  /** Take note of what others have saved, to save behind it. @param {object} job */
  async function catchUp(job) {
    await refresh(job);
    if (job.id === openId) base = newestTag();
  }

  /** Which there are by now. @param {object} job */
  async function refresh(job) {
    const list = await readVersions(job);
    // What has been saved here since then, such an answer does not know.
    if (job.id !== openId || list[0].number < newest()) return;
    foundTag = list.at(-1).etag;
    state.set({ list: list.length > 1 ? list : [] });
  }

  /** Keep notes behind the newest one. @param {object} job @param {object[]} notes @param {object} names of tracks @returns {Promise<object>} their version */
  async function save(job, notes, names) {
    const version = await saveNotes(job, { notes, track_names: names }, base);
    if (job.id === openId) {
      base = version.etag;
      // The list may have been read between the saving and its answer.
      if (version.number > newest()) state.set({ list: [version, ...(newest() ? state.get().list : [asFound(job)])] });
    }
    // It is kept, whatever comes of this: there may be more to see.
    refresh(job).catch(() => {});
    return version;
  }

  function newest() {
    return state.get().list[0]?.number ?? 0;
  }

  function newestTag() {
    return state.get().list[0]?.etag ?? foundTag;
  }

  /** As the list of the service has it. */
  function asFound(job) {
    return { number: 0, created_at: job.finished_at, n_notes: job.result.n_notes, etag: foundTag, links: job.links };
  }
}

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
  return { state, open, choose, linksOf, keyOf, load, refresh, save };

  /** Another recording: the newest is what people mean. @param {object} job */
  function open(job) {
    openId = job.id;
    foundTag = "";
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
    if (job.result.version !== (state.get().list[0]?.number ?? 0)) await refresh(job);
    const { shown } = state.get();
    const roll = await readRoll(linksOf(job));
    if (job.id === openId && !shown) foundTag = roll.etag;
    return roll;
  }

  /** Which there are by now. @param {object} job */
  async function refresh(job) {
    const list = await readVersions(job);
    if (job.id !== openId) return;
    foundTag = list.at(-1).etag;
    state.set({ list: list.length > 1 ? list : [] });
  }

  /** Keep notes behind the newest one. @param {object} job @param {object[]} notes @param {object} names of tracks @returns {Promise<object>} their version */
  async function save(job, notes, names) {
    const version = await saveNotes(job, { notes, track_names: names }, state.get().list[0]?.etag ?? foundTag);
    await refresh(job);
    return version;
  }
}

/**
 * State with listeners. Parts of the state are replaced, never changed in place, so that `===` tells what is new.
 *
 * @template {object} S
 * @param {S} initial
 */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();

  return {
    /** @returns {S} */
    get: () => state,

    /** @param {Partial<S>} patch */
    set(patch) {
      const before = state;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener(before);
    },

    /**
     * Call `seen` now, and again whenever one of the named parts was replaced.
     *
     * @param {(keyof S)[]} names
     * @param {(state: S) => void} seen
     * @returns {() => void} ends it
     */
    watch(names, seen) {
      const listener = (before) => {
        if (names.some((name) => before[name] !== state[name])) seen(state);
      };
      listeners.add(listener);
      seen(state);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * @typedef {object} Upload
 * @property {string} key
 * @property {File} file
 * @property {"waiting" | "sending" | "failed"} state
 * @property {number} fraction what was sent of it, 0 to 1
 * @property {import("./api.js").Problem | null} problem
 */

/** What the whole page knows. */
export const store = createStore({
  /** @type {object[]} jobs as the API gives them, newest first */
  jobs: [],
  /** @type {string} where the list goes on; empty at its end */
  nextPage: "",
  /** @type {boolean} whether the list has been read once */
  listed: false,
  /** @type {import("./api.js").Problem | null} why the list could not be read */
  listProblem: null,
  /** @type {Upload[]} */
  uploads: [],
  /** @type {string | null} the job that the address names */
  openId: null,
  /** @type {string | null} the job that was deleted last */
  dropped: null,
  /** @type {{jobId: string, revision: string, notes: import("./notes.js").NoteList, duration: number} | null} */
  roll: null,
});

/** Put in a job, or replace it. @param {object} job */
export function keepJob(job) {
  const { jobs } = store.get();
  const known = jobs.some((one) => one.id === job.id);
  const next = known ? jobs.map((one) => (one.id === job.id ? job : one)) : [job, ...jobs];
  store.set({ jobs: next.sort(newestFirst) });
}

/** @param {object} a job @param {object} b job */
export function newestFirst(a, b) {
  return b.created_at.localeCompare(a.created_at);
}

/** @param {string} id */
export function dropJob(id) {
  store.set({ jobs: store.get().jobs.filter((job) => job.id !== id), dropped: id });
}

/** @param {string | null} id */
export function findJob(id) {
  return store.get().jobs.find((job) => job.id === id) ?? null;
}

/** @param {object} job */
export function isActive(job) {
  return job.status === "queued" || job.status === "running";
}

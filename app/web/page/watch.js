/**
 * Keeps the list of jobs fresh: server-sent events for one active job, a poll of the list for the others.
 *
 * One stream only, because a browser opens few connections to one host and uploads need them too.
 */

import { follow, listJobs, readJob } from "./api.js";
import { dropJob, findJob, isActive, keepJob, newestFirst, store } from "./store.js";

const POLL_MS = 1500;
const SILENT_POLL_MS = 5000;

let followed = { id: null, stop: () => {} };
let timer = 0;
/** Streams that broke for good; these jobs are polled. */
const lost = new Set();

/** Read the list now, and go on as long as something is under way. */
export function watchJobs() {
  store.watch(["jobs", "openId"], followOne);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  return refresh();
}

/** Read the first page of the list, and what the address names. */
export async function refresh() {
  clearTimeout(timer);
  const { jobs: asked } = store.get();
  try {
    const page = await listJobs();
    store.set({ jobs: merged(page, asked), nextPage: olderKnown(page) ? store.get().nextPage : page.next_page_token, listed: true, listProblem: null });
  } catch (problem) {
    store.set({ listed: true, listProblem: problem });
  }
  schedule();
}

/** Read the next page of older jobs. */
export async function readMore() {
  try {
    const page = await listJobs(store.get().nextPage);
    const known = new Set(store.get().jobs.map((job) => job.id));
    const older = page.transcriptions.filter((job) => !known.has(job.id));
    store.set({ jobs: [...store.get().jobs, ...older], nextPage: page.next_page_token, listProblem: null });
  } catch (problem) {
    store.set({ listProblem: problem });
  }
}

/** Read one job anew. @param {string} id */
export async function refreshJob(id) {
  try {
    keepJob(await readJob(id));
  } catch (problem) {
    if (problem.status === 404 || problem.status === 410) dropJob(id);
    else {
      lost.add(id); // asked for with the others, until it answers
      followOne();
    }
  }
}

function schedule() {
  clearTimeout(timer);
  const { jobs, listProblem } = store.get();
  if (listProblem) timer = setTimeout(refresh, SILENT_POLL_MS);
  else if (jobs.some((job) => isActive(job) && (job.id !== followed.id || jobs.filter(isActive).length > 1))) {
    timer = setTimeout(refresh, POLL_MS);
  }
}

/** The open job if it is active, otherwise the oldest that runs. */
function followOne() {
  const active = store.get().jobs.filter((job) => isActive(job) && !lost.has(job.id));
  const wanted = active.find((job) => job.id === store.get().openId) ?? active.findLast((job) => job.status === "running") ?? active.at(-1);
  if ((wanted?.id ?? null) !== followed.id) {
    followed.stop();
    followed = { id: wanted?.id ?? null, stop: wanted ? start(wanted) : () => {} };
  }
  schedule();
}

function start(job) {
  return follow(job, {
    onEvent: ({ id, status, progress, error }) => {
      const known = findJob(id);
      if (known && isActive(known)) keepJob({ ...known, status, progress, error });
    },
    onEnd: () => refreshJob(job.id),
    onLost: () => {
      lost.add(job.id);
      refresh();
    },
  });
}

/** The jobs of an answer, but for what the page learned of one since it asked, and the older ones that it knows. */
function merged({ transcriptions, next_page_token: more }, asked) {
  const before = byIds(asked);
  const now = byIds(store.get().jobs);
  const answered = byIds(transcriptions);
  const isNews = (id) => now.get(id) !== before.get(id);
  const oldest = transcriptions.at(-1)?.created_at ?? "";
  const ids = new Set([...now.keys(), ...answered.keys()]);
  return [...ids]
    .map((id) => (isNews(id) || !answered.has(id) ? now.get(id) : answered.get(id)))
    .filter((job) => job && (answered.has(job.id) || isNews(job.id) || (more && job.created_at < oldest)))
    .sort(newestFirst);
}

function byIds(jobs) {
  return new Map(jobs.map((job) => [job.id, job]));
}

function olderKnown({ transcriptions }) {
  const oldest = transcriptions.at(-1)?.created_at ?? "";
  return store.get().jobs.some((job) => job.created_at < oldest);
}

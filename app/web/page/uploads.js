/** Sends files to the service, two at a time; what fails stays in the list with its reason. */

import { readBytes, upload } from "./api.js";
import { goToJob } from "./route.js";
import { keepJob, store } from "./store.js";

const AT_ONCE = 2;
const aborts = new Map();
let counter = 0;
let started = false;

/** A reload would lose what is not yet sent: let the browser ask. */
export function guardUploads() {
  addEventListener("beforeunload", (event) => store.get().uploads.some((one) => one.state !== "failed") && event.preventDefault());
}

/** Send what has been added, and from now on whatever is. */
export function startUploads() {
  started = true;
  sendNext();
}

/** @param {Iterable<File>} files @param {Record<string, string>} options as the API takes them */
export function addFiles(files, options = {}) {
  const list = [...files];
  const added = list.map((file) => ({ key: `upload-${++counter}`, file, options, state: "waiting", fraction: 0, problem: null, alone: list.length === 1 }));
  store.set({ uploads: [...store.get().uploads, ...added] });
  sendNext();
}

/**
 * Have a job's recording heard again, as an entry of its own.
 *
 * @param {object} job the service still has its audio
 * @param {Record<string, string>} changes of its options; all else is asked for as it was
 */
export async function hearAgain({ links, file, model, options }, changes = {}) {
  const { latency_ms: _, instruments, ...others } = options;
  const asked = { ...others, instruments: [instruments].flat().join(","), model: model.name, ...changes };
  addFiles([new File([await readBytes(links.audio)], file.name)], asked);
}

/** @param {string} key */
export function cancelUpload(key) {
  aborts.get(key)?.abort();
  forget(key);
}

/** @param {string} key */
export function retryUpload(key) {
  change(key, { state: "waiting", fraction: 0, problem: null });
  sendNext();
}

function sendNext() {
  if (!started) return;
  const { uploads } = store.get();
  const free = AT_ONCE - uploads.filter((one) => one.state === "sending").length;
  for (const one of uploads.filter((each) => each.state === "waiting").slice(0, Math.max(0, free))) send(one);
}

async function send({ key, file, options, alone }) {
  const abort = new AbortController();
  aborts.set(key, abort);
  change(key, { state: "sending" });
  try {
    const job = await upload(file, options, { onProgress: (fraction) => change(key, { fraction }), signal: abort.signal });
    forget(key);
    keepJob(job);
    if (alone) goToJob(job.id);
  } catch (problem) {
    if (problem.kind === "aborted") forget(key);
    else change(key, { state: "failed", problem });
  }
  aborts.delete(key);
  sendNext();
}

function change(key, patch) {
  store.set({ uploads: store.get().uploads.map((one) => (one.key === key ? { ...one, ...patch } : one)) });
}

function forget(key) {
  store.set({ uploads: store.get().uploads.filter((one) => one.key !== key) });
}

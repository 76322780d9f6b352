/** The service's HTTP API. Everything that goes wrong is thrown as a `Problem`. */

const JOBS = "/v1/transcriptions";
const UNAUTHORIZED = 401;

/** Has the event `ended` whenever an answer, whatever was asked, says that nobody is logged in. */
export const session = new EventTarget();

/** An RFC 9457 problem, or the network's silence. */
export class Problem extends Error {
  /**
   * @param {string} kind last part of the problem's type, such as `too-large`; `network` if nobody answered
   * @param {string} detail
   * @param {number} status
   */
  constructor(kind, detail, status = 0) {
    super(detail);
    this.kind = kind;
    this.status = status;
  }
}

/** @param {string} pageToken */
export function listJobs(pageToken = "") {
  const query = new URLSearchParams({ page_size: "50" });
  if (pageToken) query.set("page_token", pageToken);
  return ask(`${JOBS}?${query}`);
}

/** @param {string} id */
export function readJob(id) {
  return ask(`${JOBS}/${encodeURIComponent(id)}`);
}

/** Cancel an active job, delete a finished one. @param {string} id */
export function removeJob(id) {
  return ask(`${JOBS}/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Decode again; what `options` leave out takes the model's default. @param {object} job @param {object} options */
export function decodeJob(job, options) {
  const headers = { "Content-Type": "application/json" };
  return ask(job.links.decode, { method: "POST", headers, body: JSON.stringify(options) });
}

/** Notes and duration, with the tag that names just these notes. @param {{piano_roll: string}} links */
export async function readRoll(links) {
  const answer = await reach(links.piano_roll);
  if (!answer.ok) throw await problemOf(answer);
  return { ...(await answer.json()), etag: answer.headers.get("ETag") };
}

/** All note lists of a job, newest first. @param {object} job */
export async function readVersions(job) {
  return (await ask(job.links.versions)).versions;
}

/**
 * Keep edited notes as the newest version.
 *
 * @param {object} job
 * @param {{notes: object[], track_names: object}} edited
 * @param {string} etag of the newest version that is known
 * @returns {Promise<object>} the version
 */
export function saveNotes(job, edited, etag) {
  const headers = { "Content-Type": "application/json", "If-Match": etag };
  return ask(job.links.notes, { method: "PUT", headers, body: JSON.stringify(edited) });
}

/** The bytes behind an address. @param {string} address @param {AbortSignal} [signal] */
export async function readBytes(address, signal) {
  const answer = await reach(address, { signal });
  if (!answer.ok) throw await problemOf(answer);
  return answer.blob();
}

/**
 * Send a recording. XMLHttpRequest, because fetch does not tell how much was sent.
 *
 * @param {File} file
 * @param {Record<string, string>} options
 * @param {{onProgress: (fraction: number) => void, signal: AbortSignal}} watching
 * @returns {Promise<object>} the job
 */
export function upload(file, options, { onProgress, signal }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", JOBS);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) onProgress(event.loaded / event.total);
  });
  signal.addEventListener("abort", () => request.abort(), { once: true });
  return new Promise((resolve, reject) => {
    request.addEventListener("load", () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.responseText, request.status));
    });
    request.addEventListener("error", () => reject(silence()));
    request.addEventListener("abort", () => reject(new Problem("aborted", "The upload was cancelled.")));
    request.send(form);
  });
}

/**
 * Follow a job by server-sent events. EventSource reconnects by itself; `onLost` is for when it has given up.
 *
 * @param {object} job
 * @param {{onEvent: (event: object) => void, onEnd: () => void, onLost: () => void}} listener
 * @returns {() => void} ends it
 */
export function follow(job, { onEvent, onEnd, onLost }) {
  const source = new EventSource(job.links.events);
  source.addEventListener("progress", (event) => onEvent(JSON.parse(event.data)));
  source.addEventListener("finished", () => {
    source.close();
    onEnd();
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) onLost();
  });
  return () => source.close();
}

/** @param {string} address @param {RequestInit} [options] */
async function ask(address, options) {
  const answer = await reach(address, options);
  if (!answer.ok) throw await problemOf(answer);
  return answer.status === 204 ? null : answer.json();
}

async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw new Problem("aborted", "The request was cancelled.");
    throw silence();
  }
}

async function problemOf(answer) {
  return refusal(await answer.text(), answer.status);
}

function refusal(text, status) {
  if (status === UNAUTHORIZED) session.dispatchEvent(new Event("ended"));
  return parseProblem(text, status);
}

function parseProblem(text, status) {
  try {
    const body = JSON.parse(text);
    return new Problem(body.type.split(/[:#]/).at(-1), body.detail, status);
  } catch {
    return new Problem("internal", `The service answered with status ${status}.`, status);
  }
}

function silence() {
  return new Problem("network", "The service does not answer.");
}

/** The list of recordings: uploads under way first, then the service's jobs, newest first. */

import { advice, cancelOrDelete } from "./job-parts.js";
import { adviceOn, adviceOnJob } from "./advice.js";
import { button, h, setText } from "./dom.js";
import { clock, counted, size } from "./format.js";
import { hashOf } from "./route.js";
import { isActive, store } from "./store.js";
import { openTakes } from "./takes.js";
import { cancelUpload, retryUpload } from "./uploads.js";
import { readMore, refresh } from "./watch.js";

const STAGES = { starting: "Starting", transcribing: "Transcribing", writing: "Writing the notes" };

/** @param {HTMLElement} place */
export function showJobs(place) {
  const zip = button("Download several", openTakes, { id: "zip", class: "quiet" });
  const problem = h("div", { class: "message" });
  const list = h("ul", { class: "job-list" });
  const more = button("Show older", readMore, { class: "wide" });
  place.append(h("div", { class: "row spread" }, h("h2", { id: "jobs-title" }, "Recordings"), zip), problem, list, more);
  const items = new Map();

  store.watch(["jobs", "uploads", "openId", "nextPage", "listed", "listProblem"], (state) => {
    place.hidden = state.listed && !state.listProblem && !state.jobs.length && !state.uploads.length;
    zip.hidden = state.jobs.filter((job) => job.status === "succeeded").length < 2;
    more.hidden = !state.nextPage;
    problem.replaceChildren(...(state.listProblem ? [advice(adviceOn(state.listProblem), button("Try again", refresh))] : []));
    arrange(list, items, state);
  });
}

/** What a job is doing, in a few words. @param {object} job */
export function describe(job) {
  const { progress } = job;
  if (job.status === "queued") return progress.queue_position > 1 ? `Waiting, number ${progress.queue_position} in line` : "Next in line";
  if (job.status === "running") return [STAGES[progress.stage] ?? "Working", ...pace(progress)].join(" · ");
  if (job.status === "succeeded") return `${clock(job.audio?.duration ?? 0)} · ${counted(job.result.n_notes, "note")}`;
  return job.error ? adviceOnJob(job.error).title : "Cancelled.";
}

function pace({ percent, eta_seconds: eta }) {
  const parts = percent > 0 ? [`${Math.round(percent)} %`] : [];
  return eta > 0.5 ? [...parts, `${clock(Math.ceil(eta))} left`] : parts;
}

/** Keep each item's element, so that focus and scroll stay where they are. */
function arrange(list, items, { jobs, uploads, openId }) {
  const wanted = [...uploads.map((one) => [one.key, uploadItem, one]), ...jobs.map((job) => [job.id, jobItem, job])];
  const keys = new Set(wanted.map(([key]) => key));
  for (const [key, item] of items) {
    if (!keys.has(key)) {
      item.element.remove();
      items.delete(key);
    }
  }
  wanted.forEach(([key, make, value], index) => {
    if (!items.has(key)) items.set(key, make(value));
    const item = items.get(key);
    item.update(value, openId);
    if (list.children[index] !== item.element) list.insertBefore(item.element, list.children[index] ?? null);
  });
}

function jobItem(first) {
  const state = h("span", { class: "job-state" });
  const link = h("a", { class: "job-link", href: hashOf(first.id) }, h("span", { class: "job-name" }, first.file.name), state);
  const bar = h("progress", { max: 100, "aria-label": `Progress of ${first.file.name}` });
  const cancel = button("Cancel", () => cancelOrDelete(first.id), { class: "small", "aria-label": `Cancel ${first.file.name}` });
  const element = h("li", { class: "job" }, h("div", { class: "row spread" }, link, cancel), bar);
  return { element, update };

  function update(job, openId) {
    element.dataset.status = job.status;
    setText(state, describe(job));
    bar.hidden = cancel.hidden = !isActive(job);
    showFraction(bar, job.status === "running" && job.progress.percent > 0 ? job.progress.percent : null);
    if (job.id === openId) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function uploadItem({ key, file }) {
  const state = h("span", { class: "job-state" });
  const bar = h("progress", { max: 100, "aria-label": `Upload of ${file.name}` });
  const cancel = button("Cancel", () => cancelUpload(key), { class: "small", "aria-label": `Cancel ${file.name}` });
  const failure = h("div", { class: "message" });
  const name = h("span", { class: "job-link" }, h("span", { class: "job-name" }, file.name), state);
  const element = h("li", { class: "job" }, h("div", { class: "row spread" }, name, cancel), bar, failure);
  let shown = null;
  return { element, update };

  function update(one) {
    element.dataset.status = one.state;
    setText(state, describeUpload(one));
    bar.hidden = cancel.hidden = one.state === "failed";
    showFraction(bar, one.state === "sending" ? one.fraction * 100 : null);
    if (one.problem !== shown) failure.replaceChildren(...(one.problem ? [failureOf(one)] : []));
    shown = one.problem;
  }
}

function failureOf({ key, problem }) {
  const hopeless = problem.kind === "too-large" || problem.kind === "invalid-request";
  const again = hopeless ? [] : [button("Try again", () => retryUpload(key))];
  return advice(adviceOn(problem), ...again, button("Dismiss", () => cancelUpload(key)));
}

function describeUpload({ state, fraction, file }) {
  if (state === "waiting") return `Waiting to be sent · ${size(file.size)}`;
  if (state === "sending") return fraction < 1 ? `Sending · ${Math.round(fraction * 100)} % of ${size(file.size)}` : "Storing";
  return "Not accepted";
}

/** Without a value the bar says "busy". */
function showFraction(bar, percent) {
  if (percent === null) bar.removeAttribute("value");
  else bar.value = percent;
}

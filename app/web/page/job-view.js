/** The main part of the page: the open recording in whatever state it is, or a welcome. */

import { adviceOn, adviceOnJob } from "./advice.js";
import { readJob } from "./api.js";
import { announce, button, byId, h, setText } from "./dom.js";
import { advice, cancelOrDelete } from "./job-parts.js";
import { describe } from "./jobs.js";
import { createResult } from "./result.js";
import { findJob, isActive, keepJob, store } from "./store.js";
import { hearAgain } from "./uploads.js";

/** @param {HTMLElement} place @returns {{result: ReturnType<typeof createResult>}} */
export function showOpenJob(place) {
  const result = createResult();
  let current = { key: null, update: () => {} };
  store.watch(["openId", "jobs", "listed"], () => {
    const { key, make } = choose(result);
    if (key === current.key) return current.update();
    if (current.key?.startsWith("result")) result.leave();
    current = { key, ...make() };
    const focused = document.activeElement;
    place.replaceChildren(current.element);
    current.update();
    if (focused !== document.body && !focused.checkVisibility()) focusOn(place);
  });
  return { result };
}

/** What had the focus is gone, as the list of recordings on a phone: who goes by keys goes on with what came instead. */
function focusOn(place) {
  const heading = place.querySelector("h1");
  const target = heading?.checkVisibility() ? heading : place;
  target.tabIndex = -1;
  target.focus();
}

/** What is to be seen: its name, and how to make it. */
function choose(result) {
  const { openId, listed } = store.get();
  const job = findJob(openId);
  if (!openId) return { key: "welcome", make: welcome };
  if (!job) return listed ? { key: `seek ${openId}`, make: () => sought(openId) } : { key: "wait", make: waiting };
  document.title = `${job.file.name} · Audio to notes`;
  if (isActive(job)) return { key: `run ${openId}`, make: () => running(openId) };
  if (job.status === "succeeded") {
    return { key: `result ${openId}`, make: () => ({ element: framed(result.element), update: () => result.show(findJob(openId)) }) };
  }
  return { key: `end ${openId} ${job.status}`, make: () => ended(job) };
}

function framed(...children) {
  return h("div", { class: "frame" }, h("a", { class: "back", href: "#/" }, "‹ All recordings"), ...children);
}

function welcome() {
  document.title = "Audio to notes";
  const picture = h("div", { class: "welcome-picture", "aria-hidden": "true" }, ...Array.from({ length: 14 }, () => h("i")));
  const element = h("div", { class: "welcome" }, picture,
    h("h1", {}, "Drop a recording, see its notes"),
    h("p", {}, "Piano works best. Hear the original and the notes side by side, tune and edit what you see, and take it along as MIDI."),
    h("div", { class: "row welcome-ways" },
      button("Choose files", () => byId("files").click(), { class: "primary" }), button("See an example", () => byId("example").click())),
    h("p", { class: "soft" }, "Files stay on this service and are removed after some days, or as soon as you delete them."));
  return { element, update() {} };
}

function waiting() {
  return { element: framed(h("p", { class: "soft" }, "One moment…")), update() {} };
}

/** The address names a job that is not in the list: it may be an older one. */
function sought(id) {
  const place = h("div", {}, h("p", { class: "soft" }, "One moment…"));
  readJob(id).then(keepJob, (problem) => place.replaceChildren(advice(adviceOn(problem))));
  return { element: framed(place), update() {} };
}

function running(id) {
  const job = findJob(id);
  const state = h("p", { class: "run-state" });
  const bar = h("progress", { max: 100, "aria-label": "Progress" });
  const element = framed(h("div", { class: "run" },
    h("h1", {}, job.file.name), state, bar, button("Cancel", () => cancelOrDelete(id), { id: "cancel" })));
  let stage = "";
  return { element, update };

  function update() {
    const now = findJob(id);
    setText(state, describe(now));
    if (now.status === "running" && now.progress.percent > 0) bar.value = now.progress.percent;
    else bar.removeAttribute("value");
    // Each stage is told once; a voice for every percent would be noise.
    if (stage !== (stage = `${now.status} ${now.progress.stage}`)) announce(describe(now));
  }
}

function ended(job) {
  const what = adviceOnJob(job.error ?? { code: "cancelled", message: "" });
  const again = job.error?.retryable ? [button("Try again", () => sendAgain(job))] : [];
  const element = framed(h("div", { class: "ended" }, h("h1", {}, job.file.name),
    advice(what, ...again, button("Remove from the list", () => cancelOrDelete(job.id), { id: "remove" }))));
  return { element, update() {} };
}

async function sendAgain(job) {
  try {
    await hearAgain(job);
  } catch (problem) {
    store.set({ listProblem: problem });
  }
}

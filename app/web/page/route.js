/** The address: `#/` is the start, `#/jobs/<id>` a recording. */

import { store } from "./store.js";

const JOB = /^#\/jobs\/([A-Za-z0-9_-]+)$/;

/** Follow the address from now on. */
export function watchAddress() {
  addEventListener("hashchange", read);
  read();
}

/** @param {string} id */
export function goToJob(id) {
  location.hash = hashOf(id);
}

/** At once: what is left behind may be gone with the next step. */
export function goHome() {
  location.hash = "#/";
  read();
}

/** @param {string} id */
export function hashOf(id) {
  return `#/jobs/${id}`;
}

/** The link that opens a recording from elsewhere. @param {string} id */
export function linkTo(id) {
  return new URL(hashOf(id), location.href).href;
}

function read() {
  const id = JOB.exec(location.hash)?.[1] ?? null;
  document.body.dataset.place = id ? "recording" : "start";
  store.set({ openId: id });
}

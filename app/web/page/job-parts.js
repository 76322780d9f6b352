/** Pieces that both the list and the recording's own view are made of. */

import { removeJob } from "./api.js";
import { button, byId, h } from "./dom.js";
import { goHome } from "./route.js";
import { dropJob, findJob, isActive, store } from "./store.js";
import { refreshJob } from "./watch.js";

/** A failure in place: what it is, what to do, the service's own words. @param {import("./advice.js").Advice} what */
export function advice(what, ...buttons) {
  return h("div", { class: what.calm ? "advice calm" : "advice", role: what.calm ? "status" : "alert" },
    h("p", {}, h("strong", {}, what.title), ` ${what.todo}`),
    what.detail ? h("p", { class: "detail" }, what.detail) : null,
    buttons.length ? h("div", { class: "row" }, ...buttons) : null);
}

/** Cancel an active job; ask, and delete, a finished one. @param {string} id */
export async function cancelOrDelete(id) {
  const job = findJob(id);
  if (!job) return;
  if (isActive(job)) {
    await attempt(() => removeJob(id));
    await refreshJob(id);
  } else if (job.status !== "succeeded" || (await confirmed(job.file.name))) {
    if (!(await attempt(() => removeJob(id)))) return;
    if (store.get().openId === id) goHome();
    dropJob(id);
    // What had the focus is gone.
    byId("main").focus({ preventScroll: true });
  }
}

/** A failed request here is told by the list, which is read again. */
async function attempt(request) {
  try {
    await request();
    return true;
  } catch (problem) {
    if (problem.status === 404 || problem.status === 410) return true;
    store.set({ listProblem: problem });
    return false;
  }
}

/** @param {string} name @returns {Promise<boolean>} */
function confirmed(name) {
  const dialog = byId("confirm");
  dialog.replaceChildren(
    h("h2", { id: "confirm-title" }, "Delete this recording?"),
    h("p", {}, `The audio and the notes of “${name}” are removed for good.`),
    h("div", { class: "row end" }, button("Keep it", () => dialog.close("keep")), button("Delete", () => dialog.close("delete"), { class: "danger" })));
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

/** By which concert pitch the notes were read; another one has the recording heard again, as an entry of its own. */

import { adviceOn } from "./advice.js";
import { h, setText } from "./dom.js";
import { hertz } from "./format.js";
import { advice } from "./job-parts.js";
import { hearAgain } from "./uploads.js";

const PITCHES = [[392, "French baroque"], [415, "baroque"], [430, "classical"], [435, "19th century"], [440, "modern"], [442, "orchestra"], [466, "Chorton"]];

/** The concert pitch that a job's notes were read by, Hz. @param {object} job */
export function a4Of(job) {
  return job.audio?.a4_hz ?? 440;
}

/** @returns {{element: HTMLElement, show: (job: object) => void}} */
export function createConcertPitch() {
  const present = h("option", { value: "" });
  const select = h("select", { id: "a4-hz", "aria-describedby": "a4-hz-hint", on: { change: changed } },
    present, h("option", { value: "auto" }, "Find it"), ...PITCHES.map(([hz, when]) => h("option", { value: String(hz) }, `${hertz(hz)}, ${when}`)));
  const failure = h("div", { class: "message" });
  const element = h("div", { class: "slider" },
    h("div", { class: "row spread" }, h("label", { for: select.id }, "Concert pitch"), select),
    h("small", { id: "a4-hz-hint" }, "Another one: the recording is heard again, beside this one"), failure);
  let job = null;
  return { element, show };

  function show(next) {
    job = next;
    failure.replaceChildren();
    const how = job.options.a4_hz === "auto" ? "found" : "as told";
    setText(present, `${hertz(a4Of(job))}, ${how}`);
    select.value = "";
  }

  async function changed() {
    select.disabled = true;
    try {
      await hearAgain(job, { a4_hz: select.value });
    } catch (problem) {
      failure.replaceChildren(advice(adviceOn(problem)));
    }
    select.disabled = false;
    select.value = "";
  }
}

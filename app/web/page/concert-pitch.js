/** By which concert pitch the notes were read; another one has the recording heard again, as an entry of its own. */

import { readBytes } from "./api.js";
import { adviceOn } from "./advice.js";
import { h, setText } from "./dom.js";
import { hertz } from "./format.js";
import { advice } from "./job-parts.js";
import { addFiles } from "./uploads.js";

const PITCHES = [[392, "French baroque"], [415, "baroque"], [430, "classical"], [435, "19th century"], [440, "modern"], [442, "orchestra"], [466, "Chorton"]];

/** The concert pitch that a job's notes were read by, Hz. @param {object} job */
export function a4Of(job) {
  return job.audio?.a4_hz ?? 440;
}

/** @returns {{element: HTMLElement, show: (job: object) => void}} */
export function createConcertPitch() {
  const present = h("option", { value: "" });
  const select = h("select", { id: "a4-hz", "aria-describedby": "a4-hz-hint", on: { change: hearAgain } },
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

  async function hearAgain() {
    const { links, file } = job;
    const options = asForm(job, select.value);
    select.disabled = true;
    try {
      addFiles([new File([await readBytes(links.audio)], file.name)], options);
    } catch (problem) {
      failure.replaceChildren(advice(adviceOn(problem)));
    }
    select.disabled = false;
    select.value = "";
  }
}

/** All else as the job has it. @returns {Record<string, string>} */
function asForm({ model, options }, a4) {
  const { latency_ms: _, instruments, ...others } = options;
  return { ...others, instruments: [instruments].flat().join(","), model: model.name, a4_hz: a4 };
}

/** What went wrong, in a sentence, and what to do about it. */

const FORMATS = "WAV, AIFF, FLAC, MP3, Ogg, Opus, M4A, WebM, or a video with sound";

/** By the code of a job's error. */
const OF_JOBS = {
  unsupported_format: ["This is not a recording that can be read.", `Export it as ${FORMATS}, and add it again.`],
  no_audio_stream: ["There is no sound in this file.", "Choose the file that holds the sound track."],
  too_long: ["The recording is too long.", "Cut it into shorter parts and add each."],
  too_large: ["The recording is too large.", "Cut it, or export it as MP3 or Ogg, and add it again."],
  decode_failed: ["The file is damaged.", "Export it anew, or try another copy, and add it again."],
  timed_out: ["The transcription took too long and was stopped.", "Try it again when less is going on."],
  poisoned: ["The transcription stopped several times and was given up.", "Export it in another format and add it again."],
  internal: ["Something went wrong in the service.", "Try it again. If it stays so, tell whoever runs the service."],
  cancelled: ["Cancelled.", "Add the file again to transcribe it after all."],
};

/** By the kind of an API problem. */
const OF_REQUESTS = {
  network: ["The service does not answer.", "Check that it runs and that you are connected; then try again."],
  unavailable: ["The service is busy or part of it is away.", "Try again in a few seconds."],
  "too-large": ["The file is too large.", "Cut it, or export it as MP3 or Ogg, and add it again."],
  "out-of-space": ["The service has no room left.", "Delete recordings that you no longer need, then try again."],
  "not-found": ["There is no such recording.", "It may have been deleted. Choose another, or add it again."],
  unauthorized: ["You are logged out.", "Log in again with your key."],
  forbidden: ["Your key does not allow this.", "Whoever runs the service can make you one that does."],
  "quota-exceeded": ["You have reached a limit.", "Wait a little, or delete recordings that you no longer need."],
  expired: ["This recording has expired.", "Its audio and notes were removed. Add the file again."],
};

/** @typedef {{title: string, todo: string, detail: string, calm?: boolean}} Advice `calm` where nothing went wrong */

/** @param {{code: string, message: string}} error of a job @returns {Advice} */
export function adviceOnJob(error) {
  const [title, todo] = OF_JOBS[error.code] ?? OF_JOBS.internal;
  const calm = error.code === "cancelled";
  return { title, todo, detail: calm ? "" : capitalized(error.message), calm };
}

/** @param {import("./api.js").Problem} problem @returns {Advice} */
export function adviceOn(problem) {
  if (problem.kind === "invalid-request" && problem.message.startsWith("file: is empty")) {
    return { title: "The file is empty.", todo: "Choose another, or export it again.", detail: "" };
  }
  const [title, todo] = OF_REQUESTS[problem.kind] ?? ["That did not work.", "Try again."];
  return { title, todo, detail: problem.kind === "network" ? "" : problem.message };
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** One archive with the MIDI files of several recordings. */

import { adviceOn } from "./advice.js";
import { readBytes } from "./api.js";
import { h } from "./dom.js";
import { stem } from "./format.js";
import { advice } from "./job-parts.js";
import { zip } from "./zip.js";

/** @param {object[]} jobs @param {HTMLElement} place where to say what went wrong */
export async function downloadAllMidi(jobs, place) {
  try {
    save(zip(await midiFiles(jobs.filter((job) => job.status === "succeeded"))), "transcriptions.zip");
    place.replaceChildren();
  } catch (problem) {
    place.replaceChildren(advice(adviceOn(problem)));
  }
}

async function midiFiles(jobs) {
  const files = [];
  const taken = new Set();
  for (const job of jobs) {
    const bytes = new Uint8Array(await (await readBytes(job.links.midi)).arrayBuffer());
    files.push({ name: freeName(stem(job.file.name), taken), bytes });
  }
  return files;
}

/** Two recordings may have one name. */
function freeName(name, taken) {
  let free = `${name}.mid`;
  for (let number = 2; taken.has(free); number++) free = `${name} (${number}).mid`;
  taken.add(free);
  return free;
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

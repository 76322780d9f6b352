/** Taking several recordings at once: which, as what, in one archive. */

import { adviceOn } from "./advice.js";
import { readBytes } from "./api.js";
import { button, byId, h, setText } from "./dom.js";
import { counted, stem } from "./format.js";
import { advice } from "./job-parts.js";
import { store } from "./store.js";
import { zip } from "./zip.js";

const KINDS = [["MIDI", "midi", "mid", true], ["JSON", "piano_roll", "json", false], ["CSV", "notes_csv", "csv", false]];

/** Let a person choose. What is taken are the newest notes of each. */
export function openTakes() {
  const dialog = byId("takes");
  const jobs = store.get().jobs.filter((job) => job.status === "succeeded");
  const boxes = jobs.map((job) => checkbox(job.file.name, `take-job-${job.id}`, true));
  const kinds = KINDS.map(([label, link, , isUsual]) => checkbox(label, `take-kind-${link}`, isUsual));
  const message = h("div", { class: "message" });
  const take = button("Download zip", download, { id: "take-zip", class: "primary" });
  const all = button("None", toggleAll, { class: "small" });
  dialog.replaceChildren(
    h("div", { class: "row spread" }, h("h2", { id: "takes-title" }, "Download several"), all),
    h("ul", { class: "checks tall" }, ...boxes.map((box) => h("li", {}, box.element))),
    h("div", { class: "row", role: "group", "aria-label": "As" }, ...kinds.map((kind) => kind.element)), message,
    h("div", { class: "row end" }, button("Close", () => dialog.close()), take));
  for (const { input } of [...boxes, ...kinds]) input.addEventListener("change", show);
  show();
  dialog.showModal();

  function chosen() {
    const wanted = jobs.filter((_, i) => boxes[i].input.checked);
    return wanted.flatMap((job) => KINDS.filter((_, i) => kinds[i].input.checked).map((kind) => ({ job, kind })));
  }

  function show() {
    const count = chosen().length;
    take.disabled = count === 0;
    setText(take, count ? `Download ${counted(count, "file")}` : "Download zip");
    setText(all, boxes.some((box) => box.input.checked) ? "None" : "All");
  }

  function toggleAll() {
    const checked = !boxes.some((box) => box.input.checked);
    for (const { input } of boxes) input.checked = checked;
    show();
  }

  async function download() {
    take.disabled = true;
    try {
      save(zip(await filesOf(chosen())), "transcriptions.zip");
      dialog.close();
    } catch (problem) {
      message.replaceChildren(advice(adviceOn(problem)));
    }
    show();
  }
}

function checkbox(label, id, checked) {
  const input = h("input", { type: "checkbox", id, checked });
  return { input, element: h("label", { class: "row tight check" }, input, h("span", {}, label)) };
}

async function filesOf(wanted) {
  const files = [];
  const taken = new Set();
  for (const { job, kind: [, link, ending] } of wanted) {
    const blob = await readBytes(`${job.links[link]}?version=newest`);
    files.push({ name: freeName(stem(job.file.name), ending, taken), bytes: new Uint8Array(await blob.arrayBuffer()) });
  }
  return files;
}

/** Two recordings may have one name. */
function freeName(name, ending, taken) {
  let free = `${name}.${ending}`;
  for (let number = 2; taken.has(free); number++) free = `${name} (${number}).${ending}`;
  taken.add(free);
  return free;
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

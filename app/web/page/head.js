/** What a recording is called, which of its versions is shown, and what there is to take. */

import { a4Of } from "./concert-pitch.js";
import { button, h, setText } from "./dom.js";
import { clock, counted, day, hertz, stem, time } from "./format.js";
import { cancelOrDelete } from "./job-parts.js";
import { linkTo } from "./route.js";

const FILES = [["MIDI", "midi", "mid", "button primary"], ["JSON", "piano_roll", "json", "button"], ["CSV", "notes_csv", "csv", "button"]];

/**
 * @param {ReturnType<typeof import("./versions.js").createVersions>} versions
 * @param {import("./store.js").Store} editing the editor's state
 */
export function createHead(versions, editing) {
  const title = h("h1", {});
  const facts = h("p", { class: "facts" });
  const warnings = h("ul", { class: "warnings" });
  const select = h("select", { id: "version", on: { change: () => versions.choose(Number(select.value)) } });
  const choice = h("label", { class: "field" }, "Notes ", select);
  const anchors = FILES.map(([label, , ending, kind]) => h("a", { class: kind, id: `take-${ending === "mid" ? "midi" : ending}` }, label));
  const link = button("Copy link", copyLink, { id: "copy-link" });
  const remove = button("Delete", () => cancelOrDelete(job.id), { id: "delete", class: "danger-quiet" });
  const element = h("header", { class: "head" },
    h("div", {}, title, facts, warnings),
    h("div", { class: "row takes" }, choice, h("span", { class: "takes-label" }, "Download"), ...anchors, h("span", { class: "gap" }), link, remove));
  let job = null;
  versions.state.watch(["list", "shown"], () => job && showVersion());
  editing.watch(["dirty"], ({ dirty }) => {
    select.disabled = dirty;
  });
  return { element, show };

  function show(next) {
    job = next;
    setText(title, stem(job.file.name));
    warnings.replaceChildren(...job.result.warnings.map((warning) => h("li", {}, warning)));
    showVersion();
  }

  function showVersion() {
    const { list, shown } = versions.state.get();
    const version = list.find((one) => one.number === shown);
    const count = version && shown ? version.n_notes : job.result.n_notes;
    const a4 = a4Of(job);
    const tuning = a4 === 440 ? [] : [`A4 = ${hertz(a4)}`];
    setText(facts, [clock(job.audio?.duration ?? 0), counted(count, "note"), ...tuning, `kept until ${day(job.expires_at)}`].join(" · "));
    choice.hidden = !list.length;
    select.replaceChildren(...list.map((one) => h("option", { value: String(one.number) }, one.number ? `Version ${one.number}, ${time(one.created_at)}` : "As found")));
    select.value = String(shown);
    FILES.forEach(([, part, ending], i) => {
      anchors[i].href = versions.linksOf(job)[part];
      anchors[i].download = `${stem(job.file.name)}${shown ? ` (version ${shown})` : ""}.${ending}`;
    });
  }

  async function copyLink() {
    const copied = await navigator.clipboard?.writeText(linkTo(job.id)).then(() => true, () => false);
    setText(link, copied ? "Copied" : "The address bar has it");
    setTimeout(() => setText(link, "Copy link"), 2000);
  }
}

/** The score of the shown notes: what to correct, what to take, and its pages in step with the sound. */

import { adviceOn } from "./advice.js";
import { readBytes } from "./api.js";
import { announce, button, h, oncePerFrame, setText } from "./dom.js";
import { clock, counted, stem } from "./format.js";
import { advice } from "./job-parts.js";
import { createScoreOptions } from "./score-options.js";
import { createScorePages } from "./score-pages.js";

const FILES = [["PDF", "score.pdf", "pdf"], ["MusicXML", "score.musicxml", "musicxml"], ["MIDI on the grid", "midi", "mid"]];
const HELP = "Left and right arrow go to the bar before and after. A click on a bar plays from there.";

/** @param {{versions: object, transport: object, editing: import("./store.js").Store}} parts */
export function createScoreView({ versions, transport, editing }) {
  const options = createScoreOptions(transport, () => load());
  const facts = h("p", { class: "facts", id: "score-facts", role: "status" });
  const unsaved = h("p", { class: "busy", hidden: true }, "Unsaved edits are not in the score yet: save them first.");
  const message = h("div", { class: "message" });
  const links = FILES.map(([label, , ending]) => h("a", { class: "button", id: `score-${ending}` }, label));
  const print = button("Print", () => printAll(), { id: "score-print" });
  const pages = createScorePages({ onBar: (bar) => transport.seek(bar.start) });
  const region = h("div", { class: "score-region", role: "region", tabindex: "0", "aria-label": "Score", "aria-description": HELP, on: { keydown: step } }, pages.element);
  const element = h("div", { class: "score" }, options.element,
    h("div", { class: "row spread" }, facts, h("div", { class: "row takes" }, h("span", { class: "takes-label" }, "Download"), ...links, print)),
    unsaved, message, region);
  let job = null;
  let shown = "";
  let abort = new AbortController();
  const follow = oncePerFrame(() => {
    if (!element.closest("[hidden]")) pages.mark(transport.position, transport.state.get().playing);
    if (transport.state.get().playing) follow();
  });
  transport.state.watch(["position", "playing"], follow);
  editing.watch(["dirty"], showUnsaved);
  showUnsaved(editing.get());
  return { element, show };

  /** @param {object} next the open recording */
  function show(next) {
    const other = job?.id !== next.id;
    job = next;
    if (other) {
      options.clear();
      message.replaceChildren();
      pages.clear();
    }
    if (versions.keyOf(job) !== shown) load();
  }

  function showUnsaved({ dirty }) {
    unsaved.hidden = !dirty;
  }

  async function load() {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    shown = versions.keyOf(job);
    const address = addresses(job, versions.state.get().shown, options.query());
    FILES.forEach(([, part, ending], i) => {
      links[i].href = address(part);
      links[i].download = `${stem(job.file.name)}${part === "midi" ? " (quantized)" : ""}.${ending}`;
    });
    region.setAttribute("aria-busy", "true");
    setText(facts, "Writing the score …");
    try {
      const score = JSON.parse(await (await readBytes(address("score"), signal)).text());
      setText(facts, [counted(score.bars.length, "bar"), counted(score.n_pages, "page"), `first downbeat ${clock(score.first_downbeat, 1)}`].join(" · "));
      options.tell(score);
      message.replaceChildren();
      pages.open(score, (page) => address("score.svg", { page }), signal);
      follow();
    } catch (problem) {
      if (signal.aborted) return;
      setText(facts, "");
      pages.clear();
      message.replaceChildren(advice(adviceOn(problem), button("Try again", () => load())));
    } finally {
      if (!signal.aborted) region.removeAttribute("aria-busy");
    }
  }

  async function printAll() {
    announce("Loading all pages");
    await pages.all();
    window.print();
  }

  function step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const bar = pages.barBy(transport.position, by);
    if (!bar) return;
    transport.seek(bar.start);
    announce(`Bar ${bar.number}`);
  }
}

/** @param {object} job @param {number} version @param {Record<string, string>} query */
function addresses(job, version, query) {
  return (part, more = {}) => {
    const quantized = part === "midi" ? { quantized: "true" } : {};
    return `${job.links.self}/${part}?${new URLSearchParams({ version, ...query, ...quantized, ...more })}`;
  };
}

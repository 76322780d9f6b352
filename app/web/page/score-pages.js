/** The engraved pages, each fetched when it comes into sight, and in them what sounds now. */

import { readBytes } from "./api.js";
import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const TAGS = new Set(["svg", "defs", "g", "path", "use", "text", "tspan", "rect", "polygon", "polyline", "ellipse"]);
/** What the name of a tied note's further heads ends with. */
const CONTINUED = /-\d+$/;
/** Pages that are fetched before they are seen. */
const MARGIN = "600px";

/** @param {{onBar: (bar: object) => void}} listener */
export function createScorePages({ onBar }) {
  const element = h("div", { class: "score-pages" });
  const sight = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => fetchPage(entry.target)), { rootMargin: MARGIN });
  let score = { bars: [], notes: [] };
  let addressOf = null;
  let signal = null;
  /** By a note's name: its heads on the pages that are here; a note that is tied on has several, name, name-1, ... */
  let heads = new Map();
  let marked = { bar: null, notes: new Set() };
  element.addEventListener("click", (event) => {
    const bar = barOf(event.target.closest("g.measure"));
    if (bar) onBar(bar);
  });
  return { element, open, clear, mark, barBy, all };

  /** @param {object} next what the service says of it @param {(page: number) => string} address @param {AbortSignal} until */
  function open(next, address, until) {
    [score, addressOf, signal] = [next, address, until];
    marked = { bar: null, notes: new Set() };
    heads = new Map();
    sight.disconnect();
    const pages = Array.from({ length: score.n_pages }, (_, i) => h("div", { class: "score-page", "data-page": String(i + 1) }));
    element.replaceChildren(...pages);
    pages.forEach((page) => sight.observe(page));
  }

  /** Fetch every page, for the printer. */
  function all() {
    return Promise.all(Array.from(element.children, fetchPage));
  }

  function fetchPage(page) {
    sight.unobserve(page);
    page.fetched ??= fill(page);
    return page.fetched;
  }

  async function fill(page) {
    try {
      const text = await (await readBytes(addressOf(Number(page.dataset.page)), signal)).text();
      const svg = plain(text);
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", `Page ${page.dataset.page} of ${score.n_pages}`);
      page.replaceChildren(svg);
      for (const measure of svg.querySelectorAll("g.measure")) measure.prepend(boxOf(measure));
      for (const note of svg.querySelectorAll("g.note")) keepHead(note);
      marked.bar = null;
    } catch {
      page.fetched = null;
      page.failures = (page.failures ?? 0) + 1;
      // Looked for again after 2, 4, 8 ... seconds, if it is in sight then.
      setTimeout(() => page.isConnected && sight.observe(page), 1000 * Math.min(60, 2 ** page.failures));
    }
  }

  function keepHead(note) {
    const name = note.id.replace(CONTINUED, "");
    heads.set(name, [...(heads.get(name) ?? []), note]);
  }

  function light(name, isOn) {
    for (const note of heads.get(name) ?? []) note.classList.toggle("now", isOn);
  }

  /** Show what sounds. @param {number} position seconds @param {boolean} playing */
  function mark(position, playing) {
    const bar = score.bars[placeAt(position)] ?? null;
    const group = bar && document.getElementById(bar.id);
    if (marked.bar !== bar || (group && !group.classList.contains("now"))) {
      element.querySelector("g.measure.now")?.classList.remove("now");
      group?.classList.add("now");
      if (playing && marked.bar !== bar) (group ?? element.children[bar?.page - 1])?.scrollIntoView({ block: "nearest" });
      marked.bar = bar;
    }
    const sounding = new Set(playing ? score.notes.filter(([, start, end]) => start <= position && position < end).map(([name]) => name) : []);
    for (const name of marked.notes) if (!sounding.has(name)) light(name, false);
    for (const name of sounding) light(name, true);
    marked.notes = sounding;
  }

  /** The bar so many bars from where the playhead is. */
  /** No score: what was there is of another recording, or of other notes. */
  function clear() {
    open({ bars: [], notes: [], n_pages: 0 }, null, null);
  }

  function barBy(position, by) {
    return score.bars[Math.max(0, placeAt(position) + by)];
  }

  /** Place of the bar that sounds; -1 before the first. */
  function placeAt(position) {
    let [low, high] = [0, score.bars.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (score.bars[middle].start <= position + 0.001) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  function barOf(group) {
    return group && score.bars.find((bar) => bar.id === group.id);
  }
}

/** Lets a bar be clicked between its signs, and be lit up. */
function boxOf(measure) {
  const { x, y, width, height } = measure.getBBox();
  const box = document.createElementNS(SVG, "rect");
  box.setAttribute("class", "bar-box");
  for (const [name, value] of Object.entries({ x, y, width, height })) box.setAttribute(name, value);
  return box;
}

/** The page without anything that could act: known elements, no listeners, no styles, no references to elsewhere. */
function plain(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  for (const one of [root, ...root.querySelectorAll("*")]) {
    if (one.namespaceURI !== SVG || !TAGS.has(one.localName)) one.remove();
    for (const { name, value } of [...one.attributes]) {
      if (name.startsWith("on") || name === "style" || (name.endsWith("href") && !value.startsWith("#"))) one.removeAttribute(name);
    }
  }
  return document.importNode(root, true);
}

/** Two ways to look at the notes: the roll, and the score, whose module is loaded when it is first opened. */

import { adviceOn } from "./advice.js";
import { h } from "./dom.js";
import { advice } from "./job-parts.js";

/**
 * @param {HTMLElement} roll the section of the roll
 * @param {{versions: object, transport: object, editing: import("./store.js").Store}} parts
 */
export function createScoreTabs(roll, parts) {
  const panel = h("section", { class: "score-panel", id: "score-panel", role: "tabpanel", "aria-labelledby": "tab-score", hidden: true });
  const tabs = [tab("Notes", "tab-notes", roll), tab("Score", "tab-score", panel)];
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "View", on: { keydown: turn } }, ...tabs);
  let job = null;
  let view = null;
  roll.id = "roll-panel";
  roll.setAttribute("role", "tabpanel");
  roll.setAttribute("aria-labelledby", "tab-notes");
  choose(tabs[0]);
  parts.versions.state.watch(["shown"], () => refresh());
  return { list, panel, show, showRoll: () => choose(tabs[0]) };

  /** With every new state of the open recording. @param {object} next */
  function show(next) {
    job = next;
    refresh();
  }

  function tab(label, id, of) {
    const element = h("button", { type: "button", role: "tab", id, on: { click: () => choose(element) } }, label);
    element.of = of;
    return element;
  }

  /** Arrow keys go from tab to tab, and nothing else hears them. */
  function turn(event) {
    if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const other = tabs.find((one) => one.getAttribute("aria-selected") === "false");
    choose(other);
    other.focus();
  }

  function choose(chosen) {
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === chosen));
      one.setAttribute("aria-controls", one === tabs[0] ? "roll-panel" : "score-panel");
      one.tabIndex = one === chosen ? 0 : -1;
      one.of.hidden = one !== chosen;
    }
    refresh();
  }

  async function refresh() {
    if (panel.hidden || !job) return;
    try {
      const { createScoreView } = await import("./score-view.js");
      if (!view) {
        view = createScoreView(parts);
        panel.replaceChildren(view.element);
      }
      view.show(job);
    } catch (problem) {
      panel.replaceChildren(advice(adviceOn(problem)));
    }
  }
}

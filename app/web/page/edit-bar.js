/** The buttons of editing, and what became of saving. */

import { adviceOn } from "./advice.js";
import { announce, button, h, setText } from "./dom.js";
import { counted } from "./format.js";
import { createInstrumentSelect } from "./instrument-select.js";
import { advice } from "./job-parts.js";

const HINT = "Drag a note to move it, its end to lengthen it. Double-click adds one; a frame selects several.";
const UNSAVED = "Not yet saved: downloads are without these edits.";

/**
 * @param {ReturnType<typeof import("./editor.js").createEditor>} editor
 * @param {{add: () => void, keep: () => Promise<number>, refresh: () => Promise<void>}} to `keep` saves the notes and gives their version,
 *   `refresh` learns what others have saved
 */
export function createEditBar(editor, { add, keep, refresh }) {
  const toggle = button("Edit", () => editor.setActive(!editor.state.get().active), { id: "edit", title: "Change the notes by hand" });
  const undo = button("Undo", editor.undo, { id: "undo" });
  const redo = button("Redo", editor.redo, { id: "redo" });
  const remove = button("Remove", editor.remove, { id: "remove-notes" });
  const velocity = h("input", {
    type: "number", id: "velocity", min: 1, max: 127, step: 1,
    on: { change: () => velocity.validity.valid && velocity.value && editor.setVelocity(Number(velocity.value)) },
  });
  const loudness = h("label", { class: "field" }, "Velocity ", velocity);
  const player = createInstrumentSelect(editor.setProgram);
  const told = h("span", { class: "hint-text selected-count" });
  const discard = button("Discard", editor.discard, { id: "discard" });
  const saving = button("Save", save, { id: "save", class: "primary" });
  const hint = h("p", { class: "hint-text hint" });
  const message = h("div", { class: "message" });
  const element = h("div", { class: "edit-bar" },
    h("div", { class: "row tight", role: "toolbar", "aria-label": "Editing" },
      undo, redo, h("span", { class: "gap" }), button("Add note", add, { id: "add-note", title: "At the playhead" }), remove, loudness, told,
      h("span", { class: "row tight edit-end" }, discard, saving)),
    h("div", { class: "row spread" }, hint, player.element), message);
  let running = false;

  // What became of saving is said of the notes that are shown, and of no others.
  editor.state.watch(["name"], () => message.replaceChildren());
  editor.state.watch(["active", "canUndo", "canRedo", "dirty", "selection"], show);
  return { element, toggle, save };

  function show() {
    const { active, canUndo, canRedo, dirty, selection } = editor.state.get();
    toggle.setAttribute("aria-pressed", String(active));
    element.hidden = !active && !dirty && !canRedo;
    undo.disabled = !canUndo;
    redo.disabled = !canRedo;
    remove.disabled = !selection.length;
    // Nothing comes or goes with the selection: the roll below must not move under the hand.
    velocity.disabled = !selection.length;
    player.show(selection);
    discard.disabled = !dirty || running;
    saving.disabled = !dirty || running;
    setText(hint, dirty ? UNSAVED : HINT);
    velocity.value = String(selection[0]?.velocity ?? "");
    setText(told, selection.length ? `${counted(selection.length, "note")} selected` : "Nothing selected");
  }

  async function save() {
    if (running || !editor.state.get().dirty) return;
    const { name } = editor.state.get();
    running = true;
    setText(saving, "Saving…");
    show();
    try {
      const number = await keep();
      message.replaceChildren();
      announce(`Saved as version ${number}`);
    } catch (problem) {
      if (editor.state.get().name === name) message.replaceChildren(problem.kind === "changed-meanwhile" ? overtaken() : advice(adviceOn(problem), button("Try again", save)));
    }
    running = false;
    setText(saving, "Save");
    show();
  }

  /** Nothing is lost either way: each save is a version of its own. */
  function overtaken() {
    const what = { title: "The notes were changed meanwhile, here or elsewhere.", todo: "Yours are still here. You can save them as a further version.", detail: "" };
    return advice(what, button("Save as a further version", () => refresh().then(save, save), { id: "save-anyway" }));
  }
}

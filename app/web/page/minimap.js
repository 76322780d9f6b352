/** All of the recording in one narrow canvas; the frame shows what the roll shows, and can be dragged. */

import { sharpCanvas } from "./canvas.js";
import { h, oncePerFrame } from "./dom.js";
import { noteColours } from "./track-colours.js";
import { panned } from "./view.js";

/**
 * @param {object} stage the roll's store: `view`, `notes`, `palette`
 * @param {() => number} position of the playhead
 */
export function createMinimap(stage, position) {
  const canvas = h("canvas", { class: "minimap", "aria-hidden": "true" });
  const redraw = oncePerFrame(draw);
  const ready = sharpCanvas(canvas, redraw);
  let picture = null;
  stage.watch(["notes", "palette", "hushed"], () => {
    picture = null;
    redraw();
  });
  stage.watch(["view"], redraw);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    moveTo(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && moveTo(event));
  return { element: canvas, redraw };

  function moveTo(event) {
    const { view } = stage.get();
    const time = (event.offsetX / canvas.clientWidth) * view.duration;
    stage.set({ view: panned(view, time - (view.start + view.end) / 2), follow: false });
  }

  function draw() {
    const { view, notes, palette, hushed } = stage.get();
    const { ctx, width, height } = ready();
    if (!width || !view) return;
    if (picture?.width !== canvas.width || picture?.height !== canvas.height) picture = paint(notes, view.duration, palette, hushed);
    ctx.fillStyle = palette.paper;
    ctx.fillRect(0, 0, width, height);
    ctx.drawImage(picture, 0, 0, width, height);
    drawFrame(ctx, width, height, view, palette);
    ctx.fillStyle = palette.playhead;
    ctx.fillRect((position() / view.duration) * width - 0.5, 0, 1.5, height);
  }

  /** The notes are painted once; there may be tens of thousands. */
  function paint(notes, duration, palette, hushed) {
    const image = new OffscreenCanvas(canvas.width, canvas.height);
    const ctx = image.getContext("2d");
    const [low, high] = notes.range() ?? [48, 84];
    const row = image.height / (high - low + 3);
    const colour = noteColours(palette, notes, hushed, "css");
    const middle = palette.shades[Math.floor(palette.shades.length / 2)].css;
    for (let i = 0; i < notes.length; i++) {
      const x = (notes.onset[i] / duration) * image.width;
      const width = ((notes.offset[i] - notes.onset[i]) / duration) * image.width;
      ctx.fillStyle = notes.programs.length > 1 ? colour(i) : middle;
      ctx.fillRect(x, (high + 1 - notes.pitch[i]) * row, Math.max(1, width), Math.max(1, row));
    }
    return image;
  }
}

function drawFrame(ctx, width, height, view, palette) {
  const from = (view.start / view.duration) * width;
  const to = (view.end / view.duration) * width;
  ctx.globalAlpha = 0.6;
  ctx.fillStyle = palette.paper;
  ctx.fillRect(0, 0, from, height);
  ctx.fillRect(to, 0, width - to, height);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.frame;
  ctx.lineWidth = 1.5;
  ctx.strokeRect(from + 0.75, 0.75, Math.max(3, to - from - 1.5), height - 1.5);
}

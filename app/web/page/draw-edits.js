/** Drawing over the notes what editing adds: the selection, where a hand would put it, the frame of a band. */

import { pitchAxis, timeAxis } from "./axis.js";

const LEAST_PX = 3;

/**
 * @param {{ctx: CanvasRenderingContext2D, width: number, height: number}} surface
 * @param {{view: import("./view.js").View, notes: import("./notes.js").NoteList, selected: Set<number>,
 *   ghosts: import("./edits.js").Note[] | null, band: object | null, palette: object}} what
 */
export function drawEdits({ ctx, width, height }, { view, notes, selected, ghosts, band, palette }) {
  if (!selected.size && !band) return;
  const { left } = timeAxis(view, width);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, width - left, height);
  ctx.clip();
  const box = boxes(view, width, height);
  for (const i of selected) {
    if (ghosts) veil(ctx, box(notes.note(i)), palette);
    else mark(ctx, box(notes.note(i)), palette);
  }
  for (const ghost of ghosts ?? []) mark(ctx, box(ghost), palette);
  if (band) drawBand(ctx, band, palette);
  ctx.restore();
}

function boxes(view, width, height) {
  const { x } = timeAxis(view, width);
  const { row, y } = pitchAxis(view, height);
  return ({ onset, offset, pitch }) => [x(onset), y(pitch), Math.max(LEAST_PX, x(offset) - x(onset)), row];
}

function mark(ctx, [x, y, width, height], palette) {
  ctx.fillStyle = palette.playhead;
  ctx.globalAlpha = 0.85;
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, Math.min(2.5, width / 2, height / 2));
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.playhead;
  ctx.lineWidth = 1.5;
  ctx.stroke();
}

/** What is being moved fades where it was. */
function veil(ctx, [x, y, width, height], palette) {
  ctx.globalAlpha = 0.7;
  ctx.fillStyle = palette.paper;
  ctx.fillRect(x, y, width, height);
  ctx.globalAlpha = 1;
}

function drawBand(ctx, { left, right, top, bottom }, palette) {
  ctx.globalAlpha = 0.12;
  ctx.fillStyle = palette.playhead;
  ctx.fillRect(left, top, right - left, bottom - top);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.playhead;
  ctx.lineWidth = 1;
  ctx.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
}

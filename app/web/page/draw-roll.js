/** Drawing the roll: rows, seconds, notes, keyboard. */

import { gridLines, pitchAxis, timeAxis } from "./axis.js";
import { drawDenseNotes } from "./draw-dense.js";
import { isBlackKey, pitchName } from "./format.js";
import { instrumentOf } from "./instruments.js";
import { noteColours } from "./track-colours.js";

/** Rounded corners are for the eye; with more notes than this nobody sees them. */
const MOST_ROUNDED = 700;
/** With more than this they are written as pixels. */
const MOST_DRAWN = 1500;
const LEAST_NOTE_PX = 1.5;
/** A doubtful note is thin, a sure one fills its row. */
const THINNEST = 0.3;
/** Where several instruments play, a note with so much room tells its own. */
const LABEL = { width: 20, height: 7, font: "600 9px system-ui, sans-serif" };

/**
 * @param {{ctx: CanvasRenderingContext2D, width: number, height: number}} surface
 * @param {{view: import("./view.js").View, notes: import("./notes.js").NoteList, palette: object, hushed?: Set<number>, bars?: boolean, tempo?: number}} what
 */
export function drawRoll({ ctx, width, height }, { view, notes, palette, hushed = new Set(), bars = false, tempo = 120 }) {
  drawRows(ctx, width, height, view, palette);
  drawGrid(ctx, width, height, { view, bars, tempo, palette });
  drawNotes(ctx, width, height, { view, notes, palette, hushed });
  drawKeys(ctx, width, height, { view, palette });
}

function drawRows(ctx, width, height, view, palette) {
  const { row, y } = pitchAxis(view, height);
  ctx.fillStyle = palette.paper;
  ctx.fillRect(0, 0, width, height);
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    if (isBlackKey(pitch)) {
      ctx.fillStyle = palette.blackRow;
      ctx.fillRect(0, y(pitch), width, row);
    } else if (pitch % 12 === 0) {
      ctx.fillStyle = palette.gridStrong;
      ctx.fillRect(0, Math.round(y(pitch) + row) - 0.5, width, 1);
    }
  }
}

function drawGrid(ctx, width, height, { view, bars, tempo, palette }) {
  const { x } = timeAxis(view, width);
  for (const { time, label } of gridLines({ view, bars, tempo }, width)) {
    ctx.fillStyle = label ? palette.gridStrong : palette.grid;
    ctx.fillRect(Math.round(x(time)), 0, 1, height);
  }
}

function drawNotes(ctx, width, height, { view, notes, palette, hushed }) {
  const { left, x } = timeAxis(view, width);
  const { row, y } = pitchAxis(view, height);
  const [from, to] = notes.between(view.start, view.end);
  const share = (i) => THINNEST + (1 - THINNEST) * notes.confidence[i];
  // Those that are not heard lie below the others.
  const layers = notes.programs.toSorted((a, b) => hushed.has(b) - hushed.has(a));
  if (to - from > MOST_DRAWN) {
    const colour = noteColours(palette, notes, hushed, "packed");
    drawDenseNotes(ctx, width, height, { view, notes, layers, colour, thickness: share });
    return;
  }
  const rounded = to - from < MOST_ROUNDED && row > 3.5;
  const colour = noteColours(palette, notes, hushed, "css");
  const gap = row > 7 ? 1 : 0;
  for (const program of layers) {
    const label = layers.length > 1 && rounded && !hushed.has(program) ? instrumentOf(program).short : "";
    for (let i = from; i < to; i++) if (notes.program[i] === program) drawNote(i, label);
  }

  function drawNote(i, label) {
    const pitch = notes.pitch[i];
    const begin = Math.max(left, x(notes.onset[i]));
    const end = Math.max(begin + LEAST_NOTE_PX, Math.min(width, x(notes.offset[i])) - (rounded ? 1 : 0));
    if (pitch < view.low || pitch > view.high || end <= left + LEAST_NOTE_PX) return;
    const thickness = Math.max(1.5, (row - gap) * share(i));
    const top = y(pitch) + (row - thickness) / 2;
    ctx.fillStyle = colour(i);
    if (rounded) fillRounded(ctx, begin, top, end - begin, thickness);
    else ctx.fillRect(begin, top, end - begin, thickness);
    if (label && end - begin >= LABEL.width && thickness >= LABEL.height) write(label, begin + 4, y(pitch) + row / 2, notes.program[i]);
  }

  function write(label, at, middle, program) {
    Object.assign(ctx, { font: LABEL.font, textBaseline: "middle", textAlign: "left", fillStyle: palette.track(program).ink });
    ctx.fillText(label, at, middle + 0.5);
  }
}

function fillRounded(ctx, x, y, width, height) {
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, Math.min(2.5, width / 2, height / 2));
  ctx.fill();
}

/**
 * The keyboard, with the keys that sound now.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} width
 * @param {number} height
 * @param {{view: import("./view.js").View, palette: object, pressed?: Set<number>}} what
 */
export function drawKeys(ctx, width, height, { view, palette, pressed = new Set() }) {
  const { left } = timeAxis(view, width);
  const { row, y } = pitchAxis(view, height);
  ctx.fillStyle = palette.whiteKey;
  ctx.fillRect(0, 0, left, height);
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.font = "10px system-ui, sans-serif";
  for (let pitch = view.low; pitch <= view.high; pitch++) drawKey(pitch);
  ctx.fillStyle = palette.gridStrong;
  ctx.fillRect(left - 1, 0, 1, height);

  function drawKey(pitch) {
    const black = isBlackKey(pitch);
    const top = y(pitch);
    if (pressed.has(pitch)) {
      ctx.fillStyle = palette.playhead;
      ctx.fillRect(0, top, black ? left * 0.6 : left - 1, Math.max(2, row));
    } else if (black) {
      ctx.fillStyle = palette.blackKey;
      ctx.fillRect(0, top, left * 0.6, row);
    }
    if (pitch % 12 === 0) {
      ctx.fillStyle = palette.gridStrong;
      ctx.fillRect(0, Math.round(top + row) - 0.5, left, 1);
      ctx.fillStyle = pressed.has(pitch) ? palette.whiteKey : palette.keyInk;
      ctx.fillText(pitchName(pitch), left - 4, Math.min(top + row / 2, height - 6));
    }
  }
}

/**
 * Thousands of notes at once, as pixels.
 *
 * The canvas takes some microseconds for each rectangle; writing the few pixels that a note has from afar takes
 * nanoseconds. One image pixel is one CSS pixel: nobody counts the corners of so many notes.
 */

import { pitchAxis, timeAxis } from "./axis.js";

const LEAST_NOTE_PX = 1;

let image = null;
let scratch = null;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} width
 * @param {number} height
 * @param {{view: import("./view.js").View, notes: import("./notes.js").NoteList, layers: number[], colour: (i: number) => number,
 *   thickness: (i: number) => number}} what `layers` are programs from the lowest up, `thickness` of a note is a share of its row
 */
export function drawDenseNotes(ctx, width, height, { view, notes, layers, colour, thickness }) {
  const [columns, rows] = [Math.ceil(width), Math.ceil(height)];
  const pixels = blank(columns, rows);
  const { left, x } = timeAxis(view, width);
  const { row, y } = pitchAxis(view, height);
  const [from, to] = notes.between(view.start, view.end);
  for (const program of layers) {
    for (let i = from; i < to; i++) if (notes.program[i] === program) drawNote(i);
  }
  scratch.getContext("2d").putImageData(image, 0, 0);
  ctx.drawImage(scratch, 0, 0);

  function drawNote(i) {
    const pitch = notes.pitch[i];
    const begin = Math.max(left, Math.round(x(notes.onset[i])));
    const end = Math.min(columns, Math.max(begin + LEAST_NOTE_PX, Math.round(x(notes.offset[i]))));
    if (pitch < view.low || pitch > view.high || end <= begin || notes.offset[i] < view.start) return;
    const high = Math.max(1, Math.round(row * thickness(i)));
    const top = Math.max(0, Math.round(y(pitch) + (row - high) / 2));
    fillRect(pixels, columns, { begin, end, top, bottom: Math.min(rows, top + high) }, colour(i));
  }
}

/** Empty pixels; image and canvas are kept, a new pair for each frame would be work for the garbage collector. */
function blank(columns, rows) {
  if (image?.width !== columns || image.height !== rows) {
    image = new ImageData(columns, rows);
    scratch = new OffscreenCanvas(columns, rows);
  }
  return new Uint32Array(image.data.buffer).fill(0);
}

function fillRect(pixels, columns, { begin, end, top, bottom }, colour) {
  for (let line = top; line < bottom; line++) pixels.fill(colour, line * columns + begin, line * columns + end);
}

/** The common axis of strip and roll: which pixel is which second, and where the lines go. */

import { clock } from "./format.js";

/** Seconds from label to label, into how many parts the lines between divide them, digits of the label. */
const STEPS = [
  [0.05, 5, 2], [0.1, 5, 1], [0.25, 5, 2], [0.5, 5, 1], [1, 5, 0], [2, 4, 0], [5, 5, 0], [10, 5, 0], [15, 3, 0], [30, 6, 0],
  [60, 6, 0], [120, 4, 0], [300, 5, 0], [600, 5, 0], [1800, 6, 0],
];
const LEAST_LABEL_PX = 64;

/** Width of the keyboard; strip and roll both begin behind it. @param {number} width of the canvas */
export function keysWidth(width) {
  return width < 520 ? 30 : 44;
}

/** @param {import("./view.js").View} view @param {number} width */
export function timeAxis(view, width) {
  const left = keysWidth(width);
  const scale = (width - left) / (view.end - view.start);
  return { left, scale, x: (time) => left + (time - view.start) * scale, time: (x) => view.start + (x - left) / scale };
}

/** @param {import("./view.js").View} view @param {number} height */
export function pitchAxis(view, height) {
  const row = height / (view.high - view.low + 1);
  return { row, y: (pitch) => (view.high - pitch) * row, pitch: (y) => view.high - Math.floor(y / row) };
}

/**
 * Lines of the grid, each with whether it has a label.
 *
 * @param {import("./view.js").View} view
 * @param {number} width
 */
export function gridLines(view, width) {
  const { scale } = timeAxis(view, width);
  const [step, parts, digits] = STEPS.find(([seconds]) => seconds * scale >= LEAST_LABEL_PX) ?? STEPS.at(-1);
  const fine = step / parts;
  const first = Math.ceil(view.start / fine);
  const count = Math.max(0, Math.floor(view.end / fine) - first + 1);
  return Array.from({ length: count }, (_, i) => {
    const time = (first + i) * fine;
    return { time, label: (first + i) % parts === 0 ? clock(time, digits) : "" };
  });
}

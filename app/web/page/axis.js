/** The common axis of strip and roll: which pixel is which second, and where the lines go. */

import { clock } from "./format.js";

const STEPS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
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
  const step = STEPS.find((one) => one * scale >= LEAST_LABEL_PX) ?? STEPS.at(-1);
  const fine = step / (step === 0.25 || step === 15 || step === 0.05 ? 5 : step === 30 || step === 60 || step === 120 ? 6 : 5);
  const lines = [];
  for (let k = Math.ceil(view.start / fine); k * fine <= view.end; k++) {
    const time = k * fine;
    const labelled = Math.abs(time / step - Math.round(time / step)) < 1e-6;
    lines.push({ time, label: labelled ? clock(time, step < 1 ? (step < 0.1 || step === 0.25 ? 2 : 1) : 0) : "" });
  }
  return lines;
}

/** The common axis of strip and roll: which pixel is which second, and where the lines go. */

import { clock } from "./format.js";

/** Seconds from label to label, into how many parts the lines between divide them, digits of the label. */
const STEPS = [
  [0.05, 5, 2], [0.1, 5, 1], [0.25, 5, 2], [0.5, 5, 1], [1, 5, 0], [2, 4, 0], [5, 5, 0], [10, 5, 0], [15, 3, 0], [30, 6, 0],
  [60, 6, 0], [120, 4, 0], [300, 5, 0], [600, 5, 0], [1800, 6, 0],
];
/** The same in beats, four to a bar. */
const BEAT_STEPS = [[0.25, 1], [1, 4], [4, 4], [8, 2], [16, 4], [32, 4], [64, 4], [128, 4], [512, 4]];
const BAR = 4;
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
 * Lines of the grid, each with its label or none: seconds, or bars and beats of the MIDI file.
 *
 * @param {{view: import("./view.js").View, bars: boolean, tempo: number}} what `tempo` in beats a minute
 * @param {number} width
 */
export function gridLines({ view, bars, tempo }, width) {
  const unit = bars ? 60 / tempo : 1;
  const steps = bars ? BEAT_STEPS : STEPS;
  const { scale } = timeAxis(view, width);
  const [step, parts, digits] = steps.find(([units]) => units * unit * scale >= LEAST_LABEL_PX) ?? steps.at(-1);
  const fine = step / parts;
  const first = Math.ceil(view.start / unit / fine);
  const count = Math.max(0, Math.floor(view.end / unit / fine) - first + 1);
  return Array.from({ length: count }, (_, i) => {
    const at = (first + i) * fine;
    const label = bars ? barAndBeat(at, step) : clock(at, digits);
    return { time: at * unit, label: (first + i) % parts === 0 ? label : "" };
  });
}

/** 3 is the third bar, 3.2 its second beat, 3.2.25 a quarter behind it. */
function barAndBeat(beats, step) {
  const bar = Math.floor(beats / BAR) + 1;
  const beat = Math.floor(beats % BAR) + 1;
  if (step >= BAR || beats % BAR === 0) return String(bar);
  return step >= 1 || beats % 1 === 0 ? `${bar}.${beat}` : `${bar}.${beat}.${(beats % 1) * 100}`;
}

/** Canvases that are as sharp as the screen, and the colours that are drawn with. */

import { channels, colourOf } from "./colour.js";
import { readTrackColours } from "./track-colours.js";

const SHADES = 12;

/**
 * Keep a canvas at the size of its box.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} resized
 * @returns {() => {ctx: CanvasRenderingContext2D, width: number, height: number}} ready to be drawn on, in CSS pixels
 */
export function sharpCanvas(canvas, resized) {
  const ctx = canvas.getContext("2d");
  let width = 0;
  let height = 0;
  new ResizeObserver(([entry]) => {
    ({ width, height } = entry.contentRect);
    resized();
  }).observe(canvas);
  return () => {
    const scale = devicePixelRatio || 1;
    const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    return { ctx, width, height };
  };
}

/** The style sheet's colours, read anew when the scheme changes. */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    paper: colour("roll-paper"), blackRow: colour("roll-black-row"), grid: colour("roll-grid"), gridStrong: colour("roll-grid-strong"),
    ink: colour("ink-soft"), playhead: colour("playhead"), wave: colour("wave"), loop: colour("loop"), frame: colour("accent"),
    whiteKey: colour("key-white"), blackKey: colour("key-black"), keyInk: colour("key-ink"),
    shades: shadesBetween(colour("note-quiet"), colour("note-loud")).map(colourOf),
    track: readTrackColours(colour),
  };
}

function shadesBetween(quiet, loud) {
  const [from, to] = [channels(quiet), channels(loud)];
  return Array.from({ length: SHADES }, (_, i) => {
    return from.map((value, k) => Math.round(value + ((to[k] - value) * i) / (SHADES - 1)));
  });
}

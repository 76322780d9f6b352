/** Drawing the strip above the roll: seconds, the recording's waveform, the loop. */

import { gridLines, timeAxis } from "./axis.js";

const RULER = 18;

/**
 * @param {{ctx: CanvasRenderingContext2D, width: number, height: number}} surface
 * @param {{view: import("./view.js").View, peaks: import("./waveform.js").Peaks | null, loop: object | null, looping: boolean, palette: object, bars: boolean, tempo: number}} what
 */
export function drawStrip({ ctx, width, height }, { view, peaks, loop, looping, palette, bars, tempo }) {
  ctx.fillStyle = palette.paper;
  ctx.fillRect(0, 0, width, height);
  if (loop) drawLoop(ctx, width, height, { view, loop, looping, palette });
  if (peaks) drawPeaks(ctx, width, height, { view, peaks, palette });
  drawRuler(ctx, width, { view, bars, tempo, palette });
}

function drawRuler(ctx, width, { view, bars, tempo, palette }) {
  const { left, x } = timeAxis(view, width);
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const { time, label } of gridLines({ view, bars, tempo }, width)) {
    const at = Math.round(x(time));
    if (at < left) continue;
    ctx.fillStyle = palette.gridStrong;
    ctx.fillRect(at, label ? 4 : RULER - 4, 1, label ? RULER - 4 : 4);
    ctx.fillStyle = palette.ink;
    if (label && at + 34 < width) ctx.fillText(label, at + 4, RULER / 2);
  }
}

function drawPeaks(ctx, width, height, { view, peaks, palette }) {
  const { left, time } = timeAxis(view, width);
  const middle = RULER + (height - RULER) / 2;
  const half = (height - RULER) / 2 - 3;
  const extents = [];
  for (let column = left; column < width; column++) {
    extents.push(Math.max(0.5, half * peaks.loudest(time(column), time(column + 1))));
  }
  // One shape: far cheaper than a rectangle for each column.
  ctx.beginPath();
  ctx.moveTo(left, middle);
  extents.forEach((extent, i) => ctx.lineTo(left + i + 0.5, middle - extent));
  ctx.lineTo(width, middle);
  extents.reverse().forEach((extent, i) => ctx.lineTo(left + extents.length - i - 0.5, middle + extent));
  ctx.fillStyle = palette.wave;
  ctx.fill();
}

function drawLoop(ctx, width, height, { view, loop, looping, palette }) {
  const { left, x } = timeAxis(view, width);
  const from = Math.max(left, x(loop.start));
  const to = Math.min(width, x(loop.end));
  if (to <= from) return;
  ctx.globalAlpha = looping ? 1 : 0.45;
  ctx.fillStyle = palette.loop;
  ctx.fillRect(from, 0, to - from, height);
  ctx.fillStyle = palette.playhead;
  ctx.fillRect(from, 0, 2, height);
  ctx.fillRect(to - 2, 0, 2, height);
  ctx.globalAlpha = 1;
}

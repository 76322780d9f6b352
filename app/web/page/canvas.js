/** Canvases that are as sharp as the screen, and the colours that are drawn with. */

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
  const shades = shadesBetween(colour("note-quiet"), colour("note-loud"));
  return {
    paper: colour("roll-paper"), blackRow: colour("roll-black-row"), grid: colour("roll-grid"), gridStrong: colour("roll-grid-strong"),
    ink: colour("ink-soft"), playhead: colour("playhead"), wave: colour("wave"), loop: colour("loop"), frame: colour("accent"),
    whiteKey: colour("key-white"), blackKey: colour("key-black"), keyInk: colour("key-ink"),
    shades: shades.map((rgb) => `rgb(${rgb.join(" ")})`),
    packedShades: shades.map(packed),
  };
}

/**
 * The shade of each velocity, spread over what the recording has: few are played from the softest to the loudest.
 *
 * @template T
 * @param {T[]} shades from quiet to loud
 * @param {[number, number]} range of velocities
 * @returns {T[]} by velocity
 */
export function shadesByVelocity(shades, [softest, loudest]) {
  return Array.from({ length: 128 }, (_, velocity) => {
    const share = (velocity - softest) / (loudest - softest);
    return shades[Math.round(Math.min(1, Math.max(0, share)) * (shades.length - 1))];
  });
}

function shadesBetween(quiet, loud) {
  const [from, to] = [channels(quiet), channels(loud)];
  return Array.from({ length: SHADES }, (_, i) => {
    return from.map((value, k) => Math.round(value + ((to[k] - value) * i) / (SHADES - 1)));
  });
}

/** A colour as one number, as image data holds it on every machine that has browsers (little-endian). */
function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** @param {string} hex such as #0d6570 */
function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/**
 * Colours as numbers.
 *
 * @typedef {{css: string, packed: number}} Colour `packed` as image data holds it on every machine that has browsers (little-endian)
 */

/** @param {string} hex such as #0d6570 @returns {number[]} red, green, blue */
export function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** @param {number[]} rgb @returns {Colour} */
export function colourOf(rgb) {
  const [red, green, blue] = rgb;
  return { css: `rgb(${rgb.join(" ")})`, packed: ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0 };
}

/** As WCAG has it, 1 to 21. @param {number[]} one @param {number[]} other */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

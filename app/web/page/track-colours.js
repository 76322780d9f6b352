/**
 * The colours of notes: shades of one by loudness where one instrument plays, else a colour for each instrument, which is
 * pale where it is not heard.
 *
 * The colours are told apart with each kind of colour blindness, and stand out from the paper (tests/web/test_tracks.py).
 */

import { channels, colourOf, contrast } from "./colour.js";
import { INSTRUMENTS } from "./instruments.js";

const PALE = 0.72;
const DARK_INK = [16, 18, 20];
const LIGHT_INK = [255, 255, 255];

/**
 * @typedef {import("./colour.js").Colour} Colour
 * @typedef {{heard: Colour, pale: Colour, ink: string}} TrackColour `ink` is for letters on it
 */

/** @param {(name: string) => string} colour of the style sheet @returns {(program: number) => TrackColour} */
export function readTrackColours(colour) {
  const paper = channels(colour("roll-paper"));
  const other = trackColour(channels(colour("ink-soft")), paper);
  const known = new Map(INSTRUMENTS.map(({ name, program }) => [program, trackColour(channels(colour(`track-${name}`)), paper)]));
  return (program) => known.get(program) ?? other;
}

/**
 * @template {"css" | "packed"} K
 * @param {object} palette
 * @param {import("./notes.js").NoteList} notes
 * @param {Set<number>} hushed programs that are not heard
 * @param {K} kind
 * @returns {(i: number) => Colour[K]} by the note's index
 */
export function noteColours(palette, notes, hushed, kind) {
  if (notes.programs.length < 2) {
    const shades = shadesByVelocity(palette.shades, notes.velocityRange).map((shade) => shade[kind]);
    return (i) => shades[notes.velocity[i]];
  }
  const colours = [];
  for (const program of notes.programs) colours[program] = palette.track(program)[hushed.has(program) ? "pale" : "heard"][kind];
  return (i) => colours[notes.program[i]];
}

function trackColour(rgb, paper) {
  const pale = rgb.map((value, k) => Math.round(value + PALE * (paper[k] - value)));
  const ink = contrast(rgb, LIGHT_INK) > contrast(rgb, DARK_INK) ? LIGHT_INK : DARK_INK;
  return { heard: colourOf(rgb), pale: colourOf(pale), ink: colourOf(ink).css };
}

/**
 * The shade of each velocity, spread over what the recording has: few are played from the softest to the loudest.
 *
 * @template T
 * @param {T[]} shades from quiet to loud
 * @param {[number, number]} range of velocities
 * @returns {T[]} by velocity
 */
function shadesByVelocity(shades, [softest, loudest]) {
  return Array.from({ length: 128 }, (_, velocity) => {
    const share = (velocity - softest) / (loudest - softest);
    return shades[Math.round(Math.min(1, Math.max(0, share)) * (shades.length - 1))];
  });
}

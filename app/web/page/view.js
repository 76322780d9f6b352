/**
 * Which seconds and pitches are on the screen. Plain functions from one view to the next.
 *
 * @typedef {object} View
 * @property {number} start seconds
 * @property {number} end seconds
 * @property {number} low lowest pitch shown
 * @property {number} high highest pitch shown
 * @property {number} duration seconds of the recording
 */

const LEAST_SECONDS = 0.25;
const LOWEST = 21;
const HIGHEST = 108;
const LEAST_PITCHES = 12;
const FITTED_PITCHES = 36;
/** What a note may take of the view's seconds to be shown whole, with some room around it. */
const MOST_OF_VIEW = 0.7;

/** All of it. @param {number} duration @param {[number, number] | null} range of pitches @returns {View} */
export function fitted(duration, range) {
  const [lowest, highest] = range ?? [48, 84];
  const margin = Math.max(2, Math.ceil((FITTED_PITCHES - (highest - lowest + 1)) / 2));
  return clampPitches({ start: 0, end: Math.max(duration, LEAST_SECONDS), low: lowest - margin, high: highest + margin, duration });
}

/** Change the span of time; `at` stays where it is. @param {View} view @param {number} factor @param {number} at */
export function zoomed(view, factor, at) {
  const span = view.end - view.start;
  const next = Math.min(Math.max(span * factor, LEAST_SECONDS), Math.max(view.duration, LEAST_SECONDS));
  return placed(view, at - ((at - view.start) / span) * next, next);
}

/** @param {View} view @param {number} seconds */
export function panned(view, seconds) {
  return placed(view, view.start + seconds, view.end - view.start);
}

/** @param {View} view @param {number} pitches */
export function raised(view, pitches) {
  return clampPitches({ ...view, low: view.low + pitches, high: view.high + pitches });
}

/** Change the span of pitches around `at`. @param {View} view @param {number} by pitches at each end @param {number} at */
export function stretched(view, by, at) {
  const span = view.high - view.low + 1;
  const next = Math.min(Math.max(span + 2 * by, LEAST_PITCHES), HIGHEST - LOWEST + 1);
  const low = Math.round(at - ((at - view.low) / span) * next);
  return clampPitches({ ...view, low, high: low + next - 1 });
}

/** Bring `time` into sight: a page on when it has left at the right. @param {View} view @param {number} time */
export function following(view, time) {
  if (time >= view.start && time < view.end) return view;
  return placed(view, time - (view.end - view.start) * 0.08, view.end - view.start);
}

/** Bring a note into sight, where it is not: all of it, or as much as there is room for. @param {View} view @param {{onset: number, offset: number, pitch: number}} note */
export function including(view, { onset, offset, pitch }) {
  const span = view.end - view.start;
  const isSeen = onset >= view.start && Math.min(offset, onset + span * MOST_OF_VIEW) <= view.end;
  const inTime = isSeen ? view : placed(view, onset - span * (1 - MOST_OF_VIEW) / 2, span);
  if (pitch >= view.low && pitch <= view.high) return inTime;
  return raised(inTime, pitch - Math.round((view.low + view.high) / 2));
}

function placed(view, start, span) {
  const latest = Math.max(0, view.duration - span);
  const first = Math.min(Math.max(0, start), latest);
  return { ...view, start: first, end: first + span };
}

function clampPitches(view) {
  const span = Math.min(view.high - view.low, HIGHEST - LOWEST);
  const low = Math.min(Math.max(view.low, LOWEST), HIGHEST - span);
  return { ...view, low, high: low + span };
}

/** Numbers as people read them. */

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

/** 60 is C4. @param {number} pitch */
export function pitchName(pitch) {
  return NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
}

/** @param {number} pitch */
export function isBlackKey(pitch) {
  return NAMES[pitch % 12].length > 1;
}

/** 1:05 or 1:02:05; with `digits` 1:05.3. @param {number} seconds @param {number} [digits] */
export function clock(seconds, digits = 0) {
  const scale = 10 ** digits;
  const whole = Math.floor(Math.max(0, seconds) * scale + 1e-6) / scale;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** @param {number} count @param {string} noun */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** @param {string} moment ISO 8601 */
export function day(moment) {
  return new Date(moment).toLocaleDateString("en", { day: "numeric", month: "long" });
}

/** Hours and minutes, with the day unless it is today's. @param {string} moment ISO 8601 */
export function time(moment) {
  const at = new Date(moment);
  const hours = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return at.toDateString() === new Date().toDateString() ? hours : `${day(moment)} ${hours}`;
}

/** A name without its ending. @param {string} fileName */
export function stem(fileName) {
  return fileName.replace(/\.[^.]+$/, "") || fileName;
}

/** @param {number} frequency */
export function hertz(frequency) {
  return `${Math.round(frequency * 10) / 10} Hz`;
}

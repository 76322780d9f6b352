/** A zip archive of small files, stored as they are (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16). */

const UTF8_NAMES = 0x0800;
/** 1 January 1980, the earliest date that the format knows: equal files give equal archives. */
const DATE = 0x0021;

/** @param {{name: string, bytes: Uint8Array}[]} files @returns {Blob} */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const label = new TextEncoder().encode(name);
    const facts = factsOf(bytes, label);
    const head = bytesOf([[0x04034b50, 4], ...facts, [0, 2]]);
    directory.push(bytesOf([[0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), label);
    parts.push(head, label, bytes);
    offset += head.length + label.length + bytes.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = bytesOf([[0x06054b50, 4], [0, 4], [files.length, 2], [files.length, 2], [length, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** What local header and directory entry have in common: from "version needed" to "file name length". */
function factsOf(bytes, label) {
  return [[20, 2], [UTF8_NAMES, 2], [0, 2], [0, 2], [DATE, 2], [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [label.length, 2]];
}

/** Little-endian numbers, each with its width. @param {[number, number][]} fields */
function bytesOf(fields) {
  const result = [];
  for (const [value, width] of fields) {
    for (let i = 0; i < width; i++) result.push((value >>> (8 * i)) & 0xff);
  }
  return Uint8Array.from(result);
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** The instruments that the service tells apart, in the order of a score. */

/** @typedef {{name: string, label: string, short: string, program: number}} Instrument `name` as the API has it */

/** @type {Instrument[]} */
export const INSTRUMENTS = [
  ["flute", "Fl", 73], ["oboe", "Ob", 68], ["clarinet", "Cl", 71], ["bassoon", "Bn", 70], ["horn", "Hn", 60],
  ["piano", "Pf", 0], ["harpsichord", "Hc", 6],
  ["violin", "Vn", 40], ["viola", "Va", 41], ["cello", "Vc", 42], ["contrabass", "Cb", 43],
].map(([name, short, program]) => ({ name, label: name[0].toUpperCase() + name.slice(1), short, program }));

const BY_PROGRAM = new Map(INSTRUMENTS.map((one) => [one.program, one]));

/** @param {number} program General MIDI, from 0 @returns {Instrument} */
export function instrumentOf(program) {
  return BY_PROGRAM.get(program) ?? { name: `program-${program}`, label: `Program ${program + 1}`, short: `${program + 1}`, program };
}

/** @param {number[]} programs @returns {number[]} as a score has them */
export function inScoreOrder(programs) {
  const place = (program) => (BY_PROGRAM.has(program) ? INSTRUMENTS.indexOf(BY_PROGRAM.get(program)) : INSTRUMENTS.length + program);
  return programs.toSorted((a, b) => place(a) - place(b));
}

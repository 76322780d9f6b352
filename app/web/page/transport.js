/**
 * One transport for the recording and its notes: play, pause, seek, loop, speed, balance.
 *
 * While the recording plays, its own player is what the clock leans to; the notes follow the clock. So the two stay
 * together however long it lasts, and the recording's sound is never touched to keep them so.
 */

import { Clock } from "./clock.js";
import { NoteList } from "./notes.js";
import { Original } from "./original.js";
import { Performer } from "./performer.js";
import { Sound } from "./sound.js";
import { createStore } from "./store.js";

const TICK_MS = 25;
/** Notes are handed over this long ahead: as long as the page may be busy. More in a hidden tab, with its slow timers. */
const AHEAD = 0.4;
const AHEAD_HIDDEN = 1.6;
/** A shorter loop would be over before it has begun: the player's own places are no nearer than that. */
const LEAST_LOOP = 0.05;
/** Seconds that a single note is held. */
const AUDITION = 0.4;

class Transport {
  constructor() {
    this.state = createStore({
      playing: false, position: 0, duration: 0, rate: 1, balance: 0.5, instrument: "own", pianoOnly: true,
      /** @type {{start: number, end: number} | null} */ loop: null, looping: false, originalPlayable: true,
    });
    this._clock = new Clock();
    this._performer = new Performer();
    this._notes = new NoteList([]);
    this._original = null;
    this._sound = null;
    this._hushed = new Set();
    this._run = 0;
    this._timer = 0;
  }

  /** Another recording. @param {string} audio address @param {number} duration @param {number} a4 its concert pitch, Hz */
  open(audio, duration, a4) {
    this.close();
    this._performer.sharp = 12 * Math.log2(a4 / 440);
    this._original = new Original(audio);
    this._original.element.addEventListener("error", () => this.state.set({ originalPlayable: false }));
    this.state.set({ duration, position: 0, loop: null, looping: false, originalPlayable: true });
  }

  close() {
    this._halt();
    this._original?.close();
    this._original = null;
    this._notes = new NoteList([]);
    this.state.set({ playing: false, position: 0, duration: 0, loop: null, looping: false });
  }

  /** @param {NoteList} notes */
  setNotes(notes) {
    this._notes = notes;
    this.state.set({ pianoOnly: notes.programs.every((program) => program === 0) });
    if (this._timer) this._performer.replace(notes);
  }

  /** @param {Set<number>} programs that are not to be heard from now on */
  setHushed(programs) {
    this._hushed = programs;
    this._sound?.hush(programs);
  }

  /** Where the ear is: what the loudspeaker gives now was computed a moment ago. */
  get position() {
    const { playing, position, rate } = this.state.get();
    if (!playing || !this._timer) return position;
    const late = this._sound.context.outputLatency || 0;
    const heard = this._clock.positionAt(this._sound.context.currentTime) - late * rate;
    return Math.min(Math.max(heard, 0), this.state.get().duration);
  }

  /** Sound one note now, on the instrument that the recording begins with if it names none. @param {{pitch: number, velocity: number, program?: number}} note */
  async audition({ pitch, velocity, program = this._notes.program[0] ?? 0 }) {
    const { context, instruments } = this._open();
    await context.resume();
    const start = context.currentTime;
    instruments[this.state.get().instrument].play({ pitch, velocity, program, start, end: start + AUDITION });
  }

  levels() {
    return this._sound ? this._sound.levels() : { original: 0, transcription: 0 };
  }

  toggle() {
    if (this.state.get().playing) this.pause();
    else this.play();
  }

  play() {
    const { position, duration, looping, loop } = this.state.get();
    if (!this._original) return;
    const outside = looping && loop && (position < loop.start || position >= loop.end);
    if (outside) this.state.set({ position: loop.start });
    else if (position >= duration - 0.01) this.state.set({ position: 0 });
    this.state.set({ playing: true });
    this._launch();
  }

  pause() {
    const { position } = this;
    this._halt();
    this.state.set({ playing: false, position });
  }

  /** @param {number} position seconds */
  seek(position) {
    this._halt();
    this.state.set({ position: Math.min(Math.max(position, 0), this.state.get().duration) });
    if (this.state.get().playing) this._launch();
  }

  /** @param {number} seconds */
  skip(seconds) {
    this.seek(this.position + seconds);
  }

  /** @param {number} rate */
  setRate(rate) {
    const { position } = this;
    this.state.set({ rate });
    this.seek(position);
  }

  /** @param {number} balance 0 original only, 1 transcription only */
  setBalance(balance) {
    this.state.set({ balance });
    this._sound?.mix(balance);
  }

  /** @param {"own" | "tone"} instrument */
  setInstrument(instrument) {
    const { position } = this;
    this.state.set({ instrument });
    if (this.state.get().playing) this.seek(position);
  }

  /** What is too short for a loop is none. @param {{start: number, end: number} | null} loop */
  setLoop(loop) {
    if (loop && loop.end - loop.start < LEAST_LOOP) return;
    this.state.set({ loop, looping: loop !== null });
    if (loop && this.state.get().playing && (this.position < loop.start || this.position > loop.end)) this.seek(loop.start);
  }

  /** @param {boolean} looping */
  setLooping(looping) {
    const { duration } = this.state.get();
    const loop = this.state.get().loop ?? { start: 0, end: duration };
    this.state.set({ looping, loop });
  }

  _open() {
    if (!this._sound) {
      this._sound = new Sound();
      this._sound.mix(this.state.get().balance);
      this._sound.hush(this._hushed);
    }
    return this._sound;
  }

  async _launch() {
    const run = ++this._run;
    const { position, rate } = this.state.get();
    const sound = this._open();
    sound.attach(this._original.element);
    await sound.context.resume();
    const heard = run === this._run && (await this._original.start(position, rate));
    if (run !== this._run) return;
    this.state.set({ originalPlayable: this._original.playable });
    const from = heard ? this._original.position : position;
    this._clock.set(from, sound.context.currentTime, rate);
    this._performer.start(this._notes, from);
    this._timer = setInterval(() => this._tick(), TICK_MS);
    this._tick();
  }

  _halt() {
    this._run += 1;
    clearInterval(this._timer);
    this._timer = 0;
    this._performer.silence();
    this._original?.stop();
  }

  _tick() {
    const { context, instruments } = this._sound;
    const { duration, looping, loop, rate, instrument } = this.state.get();
    const now = context.currentTime;
    if (this._original.stalls) return this._moveTo(this._original.position, now, rate);
    const heard = this._original.position;
    if (this._original.runs && !this._clock.follow(heard, now)) this._moveTo(heard, now, rate);
    const position = this._clock.positionAt(now);
    if (looping && loop && position >= loop.end) this.seek(loop.start);
    else if (position >= duration) this._end();
    else {
      const ahead = (document.hidden ? AHEAD_HIDDEN : AHEAD) * rate;
      const until = Math.min(position + ahead, looping && loop ? loop.end : Infinity);
      this._performer.advance(until, (at) => Math.max(now, this._clock.timeOf(at)), instruments[instrument]);
    }
  }

  /** The player was held up by a slow disk or network: the notes wait for it. */
  _moveTo(position, now, rate) {
    this._clock.set(position, now, rate);
    this._performer.silence();
    this._performer.start(this._notes, position);
  }

  _end() {
    this._halt();
    this.state.set({ playing: false, position: this.state.get().duration });
  }
}

/** The page has one. */
export const transport = new Transport();

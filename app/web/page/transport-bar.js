/** The transport's buttons and sliders. */

import { button, h, setText } from "./dom.js";
import { clock } from "./format.js";

const SPEEDS = [0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1, 1.1, 1.25, 1.5];
const METER_FALL = 0.9;

/**
 * @param {import("./transport.js").transport} transport
 * @param {() => void} eachFrame called while it plays
 */
export function createTransportBar(transport, eachFrame) {
  const time = h("span", { class: "time" });
  const place = h("input", { type: "range", id: "position", min: "0", step: "0.01", "aria-label": "Position", on: { input: () => transport.seek(Number(place.value)) } });
  const note = h("p", { class: "hint-text", hidden: true }, "This browser cannot play the original file. The notes play without it.");
  const element = h("section", { class: "transport", "aria-label": "Playback" },
    h("div", { class: "row transport-row" }, playButton(transport), time, place, loopButtons(transport), speed(transport)),
    h("div", { class: "row transport-row" }, balance(transport), instrument(transport)), note);
  const meters = [...element.querySelectorAll(".meter")];
  const levels = [0, 0];

  transport.state.watch(["position", "playing", "duration"], show);
  transport.state.watch(["originalPlayable"], ({ originalPlayable }) => {
    note.hidden = originalPlayable;
  });
  transport.state.watch(["playing"], ({ playing }) => playing && requestAnimationFrame(frame));
  return element;

  function frame() {
    show();
    eachFrame();
    showLevels();
    if (transport.state.get().playing) requestAnimationFrame(frame);
    else clearLevels();
  }

  function show() {
    const { duration } = transport.state.get();
    const { position } = transport;
    setText(time, `${clock(position, 1)} / ${clock(duration, 1)}`);
    place.max = String(duration);
    place.value = String(position);
    place.setAttribute("aria-valuetext", `${clock(position)} of ${clock(duration)}`);
  }

  function showLevels() {
    const { original, transcription } = transport.levels();
    [original, transcription].forEach((level, i) => {
      levels[i] = Math.max(level, levels[i] * METER_FALL);
      meters[i].style.setProperty("--level", levels[i].toFixed(3));
    });
  }

  function clearLevels() {
    levels.fill(0);
    for (const meter of meters) meter.style.setProperty("--level", "0");
  }
}

function playButton(transport) {
  const play = button("Play", () => transport.toggle(), { id: "play", class: "primary play" });
  transport.state.watch(["playing"], ({ playing }) => setText(play, playing ? "Pause" : "Play"));
  return play;
}

function loopButtons(transport) {
  const toggle = button("Loop", () => transport.setLooping(!transport.state.get().looping), { id: "loop", title: "Drag over the waveform to choose a part" });
  const range = h("span", { class: "range" });
  const clear = button("×", () => transport.setLoop(null), { class: "small", "aria-label": "Forget the loop" });
  transport.state.watch(["loop", "looping"], ({ loop, looping }) => {
    toggle.setAttribute("aria-pressed", String(looping));
    range.hidden = clear.hidden = !loop;
    setText(range, loop ? `${clock(loop.start, 1)} – ${clock(loop.end, 1)}` : "");
  });
  return h("span", { class: "row tight" }, toggle, range, clear);
}

function speed(transport) {
  const select = h("select", { id: "speed", on: { change: () => transport.setRate(Number(select.value)) } },
    ...SPEEDS.map((rate) => h("option", { value: String(rate) }, `${rate} ×`)));
  transport.state.watch(["rate"], ({ rate }) => {
    select.value = String(rate);
  });
  return h("label", { class: "field" }, "Speed ", select);
}

/** A slower or faster speed of the list. @param {import("./transport.js").transport} transport @param {1 | -1} step */
export function changeSpeed(transport, step) {
  const at = SPEEDS.indexOf(transport.state.get().rate) + step;
  if (SPEEDS[at]) transport.setRate(SPEEDS[at]);
}

function balance(transport) {
  const slider = h("input", {
    type: "range", id: "balance", min: "0", max: "1", step: "0.01", "aria-label": "Balance between original and notes",
    on: { input: () => transport.setBalance(Number(slider.value)), dblclick: () => transport.setBalance(0.5) },
  });
  transport.state.watch(["balance"], ({ balance: value }) => {
    slider.value = String(value);
    const notes = Math.round(value * 100);
    slider.setAttribute("aria-valuetext", `${100 - notes} % original, ${notes} % notes`);
  });
  const end = (label, value, name) => button(label, () => transport.setBalance(value), { class: `end-button meter ${name}`, title: `Only the ${label.toLowerCase()}` });
  return h("span", { class: "row tight balance" }, end("Original", 0, "meter-original"), slider, end("Notes", 1, "meter-notes"));
}

function instrument(transport) {
  const own = h("option", { value: "own" });
  const select = h("select", { id: "instrument", on: { change: () => transport.setInstrument(select.value) } },
    own, h("option", { value: "tone" }, "Steady tone"));
  transport.state.watch(["pianoOnly"], ({ pianoOnly }) => setText(own, pianoOnly ? "Piano" : "Instruments"));
  return h("label", { class: "field" }, "Notes sound as ", select);
}

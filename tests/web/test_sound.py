"""The instruments, rendered without a loudspeaker and measured."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.model.signals import frequency_of

SR = 44100
# What the instruments give to the mixing desk's output, two channels of float32 in base64.
RENDER = """async ([instrument, notes, seconds, sr, hushed]) => {
  const [{ SteadyTone }, { Ensemble, instrumentFor }, { instrumentDesk }] = await Promise.all(
    ["piano", "ensemble", "sound"].map((name) => import(`/page/${name}.js`)));
  const context = new OfflineAudioContext(2, seconds * sr, sr);
  const desk = instrumentDesk(context);
  desk.output.connect(context.destination);
  const { INSTRUMENTS } = await import("/page/instruments.js");
  const known = INSTRUMENTS.find(({ name }) => name === instrument);
  const make = known ? instrumentFor : (_, context, output) => new SteadyTone(context, output);
  const player = new Ensemble(context, desk.input, make);
  player.hush(new Set(hushed));
  for (const [pitch, velocity, start, end, program = known?.program ?? 0] of notes) {
    player.play({ pitch, velocity, program, start, end });
  }
  const rendered = await context.startRendering();
  return [0, 1].map((ear) => {
    const bytes = new Uint8Array(rendered.getChannelData(ear).buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  });
}"""


def render(
    page: Page, instrument: str, notes: Sequence[tuple[float, ...]], seconds: float, *, hushed: Sequence[int] = ()
) -> NDArray[Any]:
    """Shape (2, samples). A note is pitch, velocity, start, end, and the program if it is another one's."""
    page.goto("/")
    ears = page.evaluate(RENDER, [instrument, [list(note) for note in notes], seconds, SR, hushed])
    return np.stack([np.frombuffer(base64.b64decode(ear), dtype=np.float32) for ear in ears])


def level(sound: NDArray[Any], at: float) -> float:
    """Power over a twentieth of a second, in dB."""
    piece = sound[:, int(at * SR) : int((at + 0.05) * SR)]
    return float(10 * np.log10(np.mean(piece**2) + 1e-20))


def strongest_near(sound: NDArray[Any], frequency: float) -> float:
    """Frequency of the strongest partial within a semitone."""
    piece = sound.mean(axis=0)[int(0.2 * SR) : int(1.7 * SR)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 19))
    frequencies = np.fft.rfftfreq(1 << 19, 1 / SR)
    near = np.abs(np.log2(frequencies[1:] / frequency)) < 1 / 12
    return float(frequencies[1:][near][np.argmax(spectrum[1:][near])])


@pytest.mark.parametrize("pitch", [33, 49, 60, 77, 95])
def test_a_string_is_in_tune_and_dies_away_like_one(page: Page, pitch: int) -> None:
    sound = render(page, "piano", [(pitch, 80, 0.1, 3.5)], 5)
    cents = 1200 * np.log2(strongest_near(sound, frequency_of(pitch)) / frequency_of(pitch))
    assert abs(cents) < 8
    at_once, soon, later, released = (level(sound, at) for at in (0.15, 0.9, 1.65, 4.5))
    assert at_once - soon > soon - later > 0, "a quick decay, then a slower one"
    assert released < at_once - 50, "the damper falls"


@pytest.mark.parametrize("instrument", ["piano", "tone", "harpsichord", "violin", "clarinet", "horn"])
def test_nothing_clicks(page: Page, instrument: str) -> None:
    repeated = [(64, 90, 0.1 + 0.15 * k, 0.22 + 0.15 * k) for k in range(12)]
    sound = render(page, instrument, repeated, 3)
    # A click holds all frequencies; neither instrument has partials up here.
    spectrum = np.fft.rfft(sound)
    spectrum[:, np.fft.rfftfreq(sound.shape[1], 1 / SR) < 14_000] = 0
    assert np.abs(np.fft.irfft(spectrum)).max() < 1e-3 * np.abs(sound).max()
    assert np.abs(sound[:, :4000]).max() < 1e-6


@pytest.mark.parametrize("instrument", ["piano", "tone", "harpsichord", "violin", "clarinet", "horn"])
def test_many_loud_notes_do_not_clip_and_a_soft_one_is_heard(page: Page, instrument: str) -> None:
    chord = [(pitch, 127, 0.1, 2.0) for pitch in (28, 40, 47, 52, 56, 59, 64, 68, 71, 76)]
    loud = render(page, instrument, chord, 3)
    assert 0.5 < np.abs(loud).max() <= 1
    soft = render(page, instrument, [(60, 20, 0.1, 1.0)], 2)
    assert -60 < level(soft, 0.3) < level(loud, 0.3) - 15


def test_a_louder_string_is_brighter(page: Page) -> None:
    def centre(velocity: int) -> float:
        sound = render(page, "piano", [(60, velocity, 0.1, 2.0)], 2).mean(axis=0)
        spectrum = np.abs(np.fft.rfft(sound))
        return float((spectrum * np.fft.rfftfreq(len(sound), 1 / SR)).sum() / spectrum.sum())

    assert centre(115) > 1.2 * centre(35)


def test_a_hushed_instrument_is_silent_and_no_other(page: Page) -> None:
    notes = [(64, 90, 0.1, 1.0, 40), (64, 90, 1.5, 2.5, 41), (64, 90, 3.0, 4.0, 0)]
    sound = render(page, "violin", notes, 4, hushed=[40, 0])
    assert level(sound, 2.2) > -40
    assert level(sound, 0.8) < level(sound, 2.2) - 60
    assert level(sound, 3.5) < level(sound, 2.2) - 40, "but for the room"


def test_the_kinds_sound_different(page: Page) -> None:
    """A bowed string and a wind last as long as the note does; a plucked one is over sooner than a struck one."""

    def fall(instrument: str) -> float:
        sound = render(page, instrument, [(60, 90, 0.1, 2.0)], 2)
        return level(sound, 0.3) - level(sound, 1.6)

    assert fall("harpsichord") > fall("piano") + 3
    assert fall("piano") > 6
    for steady in ("cello", "oboe", "horn"):
        assert abs(fall(steady)) < 2

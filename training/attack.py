"""How late after the key a soundfont's instrument is heard, and how loud: measured, since soundfonts do not say."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from training.fluidsynth import RENDER_RATE, Effects, Event, Stereo, Synth
from training.musicnet import Part

# An attack counts as heard when it is within 12 dB of the loudest that the note gets in its first half second.
# Without a correction the slowest bowed and blown sounds would carry labels that are too early by more than the 50 ms
# of the note score.
HEARD = 10 ** (-12 / 20)
PROBE_SECONDS = 0.5
PROBE_VELOCITY = 80
LONGEST_DELAY = 0.12
WINDOW = 0.005  # seconds over which the envelope is taken; a low note's period would show in a shorter one


@dataclass(frozen=True, slots=True)
class Attack:
    """Seconds from the key to the sound, and the loudness of the first half second in dB (of full scale, RMS)."""

    delay: float
    level_db: float


_measured: WeakKeyDictionary[Synth, dict[tuple[str, int, int], Attack]] = WeakKeyDictionary()


def measure_attack(synth: Synth, part: Part, soundfont: str) -> Attack:
    """Measure an instrument at the lower quarter, middle and upper quarter of what it has to play.

    Parameters
    ----------
    synth : Synth
        Is reset.
    part : Part
    soundfont : str
        One of the synthesizer's.

    Returns
    -------
    Attack
        The median of the three; remembered by octave third.
    """
    known = _measured.setdefault(synth, {})
    quartiles = np.percentile([note.pitch for note in part.notes], [25, 50, 75])
    attacks = []
    for pitch in (4 * round(quartile / 4) for quartile in quartiles):
        key = (soundfont, part.program, pitch)
        if key not in known:
            known[key] = probe(synth, soundfont, part.program, pitch)
        attacks.append(known[key])
    return Attack(
        float(np.median([attack.delay for attack in attacks])),
        float(np.median([attack.level_db for attack in attacks])),
    )


def probe(synth: Synth, soundfont: str, program: int, pitch: int) -> Attack:
    """Strike one key and listen."""
    synth.reset(Effects())
    synth.set_channel(0, soundfont, program)
    return listen(synth.render([Event(0.0, 0, "on", pitch, PROBE_VELOCITY)], PROBE_SECONDS))


def listen(stereo: Stereo) -> Attack:
    """Find when a note struck at 0 is heard.

    Parameters
    ----------
    stereo : np.ndarray [shape=(2, n), dtype=float32]
        At the rendering rate.

    Returns
    -------
    Attack
        A silent note has no delay and counts as -60 dB.
    """
    hop = int(WINDOW * RENDER_RATE)
    usable = stereo[:, : stereo.shape[1] // hop * hop]
    envelope = np.sqrt((usable.reshape(2, -1, hop) ** 2).mean(axis=(0, 2)))  # (n windows,)
    loudest = float(envelope.max())
    if loudest < 1e-5:
        return Attack(0.0, -60.0)
    heard = int(np.argmax(envelope >= HEARD * loudest))
    level_db = 10 * np.log10(float((usable**2).mean()) + 1e-12)
    return Attack(min(LONGEST_DELAY, heard * WINDOW), float(max(-60.0, level_db)))

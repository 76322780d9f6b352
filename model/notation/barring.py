"""The time signature and its beats: the likeliest of all readings of what the tracker found."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.notation.beats import PATTERNS, REGIONS, Beats, Pattern, track
from model.notation.choice import load_choice
from model.notation.events import Events
from model.notation.evidence import evidence, hear
from model.notation.grid import PARTS, refine
from model.notation.metre import Reading, features, load_profile, readings
from model.notation.types import Metre, NotationOptions
from model.note import Note

FEWEST_EVENTS = 4  # fewer tell nothing of beats
PLAIN_TEMPO, PLAIN_METRE = 120.0, Metre(4, 4)
AUDIO_WEIGHT, AUDIO_NEAR_SECONDS = 0.25, 0.06  # of an attack in the audio that is near no note
TOLD_SPREAD = 0.1  # standard deviation of a downbeat that somebody heard and told, seconds
Candidate = tuple[Reading, Beats, NDArray[np.float64]]  # with its evidence


def pattern_of(metre: Metre) -> Pattern:
    """What its beats are divided into."""
    return "compound" if metre.compound else "simple"


def barred(
    notes: list[Note], events: Events, onsets: NDArray[np.float64] | None, options: NotationOptions
) -> tuple[Metre, NDArray[np.float64]]:
    """Find the time signature and its beats.

    Parameters
    ----------
    notes : list of Note
        Sorted.
    events : Events
        Of these notes.
    onsets : ndarray or None
        Attacks in the audio.
    options : NotationOptions

    Returns
    -------
    Metre
    ndarray, shape (beats,)
        Seconds; the first begins a bar, and they reach from before the first onset to after the last offset.
    """
    end = max((note.offset for note in notes), default=0.0)
    if len(events.times) < FEWEST_EVENTS:
        return plain(events.times, end, options)
    times, weights = with_audio(events, onsets)
    candidates = considered(notes, events, list(tracked(times, weights, options)), options)
    odds = load_choice().log_odds(np.array([numbers for _, _, numbers in candidates]))
    if options.first_downbeat is not None:
        odds = odds + told(options.first_downbeat, candidates, int(odds.argmax()))
    reading, beats, _ = candidates[int(odds.argmax())]
    grid = beats_of(reading, beats.times, events.times[0], end)
    return reading.metre, refine(times, weights, grid, pattern_of(reading.metre))


def considered(
    notes: list[Note], events: Events, found: list[tuple[Beats, list[str]]], options: NotationOptions
) -> list[Candidate]:
    """All readings of the tracker's beats that a known time signature and tempo leave, and the evidence for each."""
    bins, profile = features(notes, events), load_profile()
    best = max(beats.score for beats, _ in found)
    result = []
    for beats, names in found:
        heard = hear(notes, events, beats, bins, best=best)
        for reading in readings(beats.pattern, names):
            if options.tempo is None or reading.beat == PARTS:
                result.append((reading, beats, evidence(heard, reading, profile)))
    if not result:
        raise AssertionError("every time signature has a reading")
    return result


def plain(times: NDArray[np.float64], end: float, options: NotationOptions) -> tuple[Metre, NDArray[np.float64]]:
    """An even grid where there is too little to hear one: a bar begins at the first onset, or at the known downbeat."""
    metre = Metre(*options.metre) if options.metre else PLAIN_METRE
    interval = 60 / (options.tempo or PLAIN_TEMPO)
    first = float(times[0]) if len(times) else 0.0
    origin = first if options.first_downbeat is None else options.first_downbeat
    bar = interval * metre.beats
    begin = origin + bar * np.floor((first - origin) / bar + 1e-9)
    count = int(np.ceil((end - begin) / bar) + 1) * metre.beats
    return metre, begin + interval * np.arange(count + 1)


def with_audio(events: Events, onsets: NDArray[np.float64] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and weights of the attacks of notes, and of those in the audio that are near none."""
    if onsets is None or len(onsets) == 0:
        return events.times, events.weights
    onsets = onsets[(onsets > events.times[0]) & (onsets < events.times[-1])]
    after = np.searchsorted(events.times, onsets)
    near = np.minimum(np.abs(events.times[after - 1] - onsets), np.abs(events.times[after] - onsets))
    extra = onsets[near > AUDIO_NEAR_SECONDS]
    times = np.concatenate([events.times, extra])
    order = np.argsort(times, kind="stable")
    return times[order], np.concatenate([events.weights, np.full(len(extra), AUDIO_WEIGHT)])[order]


def tracked(
    times: NDArray[np.float64], weights: NDArray[np.float64], options: NotationOptions
) -> Iterator[tuple[Beats, list[str]]]:
    """Beats in each pattern that may be, with the time signatures to read them in."""
    names = ["{}/{}".format(*options.metre)] if options.metre else list(load_profile().prior)
    for pattern in PATTERNS:
        # A known tempo is that of the written beats, which the tracker then has to find in their own pattern.
        mine = [n for n in names if options.tempo is None or pattern_of(metre_named(n)) == pattern]
        if mine:
            yield from ((beats, mine) for beats in _in_regions(times, weights, pattern, options.tempo))


def _in_regions(
    times: NDArray[np.float64], weights: NDArray[np.float64], pattern: Pattern, tempo: float | None
) -> Iterator[Beats]:
    """The likeliest beats of each region of tempo, or of the known one."""
    if tempo is not None:
        yield track(times, weights, pattern, interval=60 / tempo)
        return
    found: list[Beats] = []
    for region in REGIONS:
        beats = track(times, weights, pattern, between=region)
        if not any(np.array_equal(beats.times, other.times) for other in found):
            found.append(beats)
            yield beats


def metre_named(name: str) -> Metre:
    """The metre that is written so."""
    numerator, denominator = name.split("/")
    return Metre(int(numerator), int(denominator))


def told(downbeat: float, candidates: list[Candidate], likeliest: int) -> NDArray[np.float64]:
    """What a downbeat that somebody told adds to the log odds of each reading, shape (candidates,).

    Nobody tells it exactly: the beat that is nearest to it begins a bar. It moves the bars of the likeliest reading and
    changes neither its time signature nor its tempo. More than a bar before the first beat or after the last it tells
    nothing, for who knows how many beats lie between.
    """
    chosen, beats, _ = candidates[likeliest]
    at = _extended(beats.times, downbeat)
    if not -chosen.bar <= at <= (len(beats.times) - 1) * PARTS + chosen.bar:
        return np.zeros(len(candidates))
    seconds = float(np.median(np.diff(beats.times))) / PARTS
    added = np.full(len(candidates), -np.inf)
    for i, (reading, of, _) in enumerate(candidates):
        distance = abs((at - reading.start + reading.bar / 2) % reading.bar - reading.bar / 2)
        alike = of is beats and (reading.metre, reading.beat) == (chosen.metre, chosen.beat)
        if alike and distance <= reading.beat / 2 + 1e-9:
            added[i] = -0.5 * (distance * seconds / TOLD_SPREAD) ** 2
    return added


def _extended(beats: NDArray[np.float64], seconds: float) -> float:
    """Position of a time in `PARTS` of a beat, beyond the beats too."""
    if seconds < beats[0]:
        return float((seconds - beats[0]) / (beats[1] - beats[0]) * PARTS)
    if seconds > beats[-1]:
        return float((len(beats) - 1 + (seconds - beats[-1]) / (beats[-1] - beats[-2])) * PARTS)
    return float(np.interp(seconds, beats, np.arange(len(beats)) * PARTS))


def beats_of(reading: Reading, beats: NDArray[np.float64], first: float, end: float) -> NDArray[np.float64]:
    """Beats of a reading, from the bar in which the first note begins to the end of the one in which the last ends."""
    lowest = np.floor((_extended(beats, first) - reading.start + PARTS / 12) / reading.bar)
    highest = np.floor((_extended(beats, end) - reading.start) / reading.bar) + 1
    wanted = reading.start + reading.beat * np.arange(lowest * reading.metre.beats, highest * reading.metre.beats + 1)
    known = np.arange(len(beats)) * PARTS
    result = np.interp(wanted, known, beats)
    before, after = wanted < 0, wanted > known[-1]
    result[before] = beats[0] + wanted[before] / PARTS * (beats[1] - beats[0])
    result[after] = beats[-1] + (wanted[after] - known[-1]) / PARTS * (beats[-1] - beats[-2])
    return np.asarray(result)

"""What a musician would say of known tunes, and what must hold for any notes at all."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import OptionError
from model.notation.analysis import analyse
from model.notation.grid import PARTS, place
from model.notation.types import Key, Metre, NotationOptions, Rhythm
from model.note import Note
from tests.model.notation.melodies import ODE, ode


@pytest.fixture(scope="module")
def ode_rhythm() -> Rhythm:
    return analyse(ode())


def test_a_known_tune_has_its_beats(ode_rhythm: Rhythm) -> None:
    expected = 1.0 + 0.6 * np.arange(len(ode_rhythm.beats))
    assert len(ode_rhythm.beats) == 64
    assert ode_rhythm.beats == pytest.approx(expected, abs=0.01)
    assert ode_rhythm.tempo == pytest.approx(100, rel=0.01)


def test_a_known_tune_has_its_bars_and_key(ode_rhythm: Rhythm) -> None:
    assert ode_rhythm.metre == Metre(4, 4)
    assert ode_rhythm.downbeats == pytest.approx(1.0 + 2.4 * np.arange(16), abs=0.01)
    assert ode_rhythm.key == Key(0, "major", 0)


def test_a_known_tune_has_its_values_and_voices(ode_rhythm: Rhythm) -> None:
    upper = [note for note in ode_rhythm.notes if note.staff == 0]
    assert [(note.pitch, note.duration) for note in upper] == [(pitch, Fraction(value)) for pitch, value in ODE * 2]
    assert {note.pitch for note in ode_rhythm.notes if note.staff == 1} == {43, 48}
    assert len({note.voice for note in upper}) == 1


@pytest.mark.parametrize("tempo", [80.0, 132.0])
def test_another_tempo_gives_the_same_score(ode_rhythm: Rhythm, tempo: float) -> None:
    assert scored(analyse(ode(tempo=tempo))) == scored(ode_rhythm)


def test_a_later_beginning_gives_the_same_score(ode_rhythm: Rhythm) -> None:
    later = analyse(ode(start=7.137))
    assert scored(later) == scored(ode_rhythm)
    assert later.beats == pytest.approx(ode_rhythm.beats + 6.137, abs=0.01)


def test_other_pitches_give_the_same_rhythm_in_another_key(ode_rhythm: Rhythm) -> None:
    higher = analyse([replace(note, pitch=note.pitch + 2) for note in ode()])
    assert [(n.onset, n.duration) for n in higher.notes] == [(n.onset, n.duration) for n in ode_rhythm.notes]
    assert higher.key == Key(2, "major", 2)


def test_the_order_of_the_notes_does_not_matter(ode_rhythm: Rhythm) -> None:
    notes = ode()
    order = np.random.default_rng(0).permutation(len(notes))
    shuffled = analyse([notes[i] for i in order])
    assert scored(shuffled) == scored(ode_rhythm)
    assert all(notes[order[note.index]].pitch == note.pitch for note in shuffled.notes)


def test_noise_of_a_transcription_changes_little(ode_rhythm: Rhythm) -> None:
    rng = np.random.default_rng(1)
    noisy = []
    for note in ode():
        onset = note.onset + rng.normal(0, 0.015)
        noisy.append(replace(note, onset=onset, offset=onset + (note.offset - note.onset) * rng.uniform(0.8, 1.05)))
    rhythm = analyse(noisy)
    assert rhythm.metre == Metre(4, 4)
    assert rhythm.beats == pytest.approx(ode_rhythm.beats, abs=0.03)
    same = {(n.onset, n.duration, n.pitch) for n in rhythm.notes} & {
        (n.onset, n.duration, n.pitch) for n in ode_rhythm.notes
    }
    assert len(same) >= 0.9 * len(ode_rhythm.notes)


def test_triplets_are_thirds_of_a_beat() -> None:
    notes = ode()
    bar = 1.0 + 4 * 2.4  # three notes in the time of the first quarter of the fifth bar
    notes = [note for note in notes if not (note.pitch >= 60 and abs(note.onset - bar) < 0.01)]
    notes += [Note(bar + 0.2 * i, 64 + i, bar + 0.2 * i + 0.18) for i in range(3)]
    rhythm = analyse(notes)
    third = Fraction(1, 3)
    at = rhythm.time_map.to_quarters(bar)
    found = [n for n in rhythm.notes if n.staff == 0 and round(at) <= n.onset < round(at) + 1]
    assert [(n.onset - round(at), n.duration) for n in found] == [(i * third, third) for i in range(3)]


def in_triplets(held: float, *, last: float | None = None) -> list[Note]:
    """Bars of four beats at 100: a triplet on each, the last beat plain; or one on the first, its last note held."""
    beat, notes = 0.6, []
    for start in np.arange(4) * 4 * beat + 0.5:
        for number in range(1 if last else 3):
            thirds = start + beat * (number + np.arange(3) / 3)
            lengths = [held / 3] * 2 + [last or held / 3]
            notes += [
                Note(float(onset), 60 + 2 * k, float(onset + beat * length))
                for k, (onset, length) in enumerate(zip(thirds, lengths, strict=True))
            ]
        notes.append(Note(float(start + 3 * beat), 67, float(start + 3.9 * beat)))
    return notes


@pytest.mark.parametrize("held", [0.3, 0.45, 0.6, 0.9])
def test_short_notes_of_a_triplet_are_thirds_of_a_beat_too(held: float) -> None:
    rhythm = analyse(in_triplets(held), overrides=NotationOptions(tempo=100, metre=(4, 4)))
    written = [n.duration for n in rhythm.notes][:-1]  # nothing tells how long the last one is meant
    assert written == (([Fraction(1, 3)] * 9 + [Fraction(1)]) * 4)[:-1]


def test_a_triplets_last_note_may_go_on_over_its_beat() -> None:
    """Held to the last beat it is a third and two quarters, tied."""
    rhythm = analyse(in_triplets(0.9, last=7 / 3 - 0.05), overrides=NotationOptions(tempo=100, metre=(4, 4)))
    assert [n.duration for n in rhythm.notes] == [Fraction(1, 3), Fraction(1, 3), Fraction(7, 3), Fraction(1)] * 4
    # Ended after its first quarter it is that much, though nothing follows at once.
    rhythm = analyse(in_triplets(0.9, last=4 / 3 - 0.2), overrides=NotationOptions(tempo=100, metre=(4, 4)))
    assert [n.duration for n in rhythm.notes] == [Fraction(1, 3), Fraction(1, 3), Fraction(4, 3), Fraction(1)] * 4


def test_a_ritardando_is_in_the_tempo_curve_and_not_in_the_notes(ode_rhythm: Rhythm) -> None:
    def slower(time: float) -> float:
        return time + 0.004 * max(0.0, time - 20) ** 2

    rhythm = analyse([replace(note, onset=slower(note.onset), offset=slower(note.offset)) for note in ode()])
    assert scored(rhythm) == scored(ode_rhythm)
    tempi = [tempo for _, tempo in rhythm.tempo_curve]
    assert tempi[5] == pytest.approx(100, rel=0.05)
    assert tempi[60] == pytest.approx(100 / (1 + 0.008 * 17), rel=0.08)


def scored(rhythm: Rhythm) -> tuple[object, ...]:
    """What a score shows, without times."""
    return rhythm.metre, rhythm.key, sorted((n.onset, n.duration, n.pitch, n.voice, n.staff) for n in rhythm.notes)


# Overrides


def test_a_known_time_signature_is_kept() -> None:
    rhythm = analyse(ode(), overrides=NotationOptions(metre=(3, 4)))
    assert rhythm.metre == Metre(3, 4)
    assert np.diff(rhythm.downbeats) == pytest.approx(3 * 60 / rhythm.tempo, rel=0.02)


def test_a_time_signature_that_is_seldom_seen_is_kept() -> None:
    assert analyse(ode(), overrides=NotationOptions(metre=(7, 8))).metre == Metre(7, 8)


@pytest.mark.parametrize("tempo", [50.0, 200.0])
def test_a_known_tempo_is_that_of_the_beats(tempo: float) -> None:
    rhythm = analyse(ode(), overrides=NotationOptions(tempo=tempo, metre=(4, 4)))
    assert rhythm.tempo == pytest.approx(tempo, rel=0.02)


def test_a_long_rest_does_not_change_the_tempo() -> None:
    steps = (0, 2, 4, 5, 7, 9, 11, 12)
    starts = [*(0.5 + 0.5 * np.arange(16)), *(38.5 + 0.5 * np.arange(16))]
    notes = [Note(float(start), 60 + steps[i % 8], float(start) + 0.45) for i, start in enumerate(starts)]
    rhythm = analyse(notes)
    assert rhythm.tempo == pytest.approx(60 / np.diff(rhythm.beats)[:10].mean(), rel=0.01)


def test_a_known_key_is_written() -> None:
    assert analyse(ode(), overrides=NotationOptions(key="f#")).key == Key(6, "minor", 3)


def test_a_bar_begins_at_a_known_downbeat() -> None:
    rhythm = analyse(ode(), overrides=NotationOptions(first_downbeat=1.6))
    assert np.abs(rhythm.downbeats - 1.6).min() < 0.01
    assert np.abs(rhythm.downbeats - 1.0).min() > 0.3


OFFSETS = [-0.2, -0.15, -0.1, 0.1, 0.15, 0.2]


@pytest.mark.parametrize("off", OFFSETS)
def test_a_known_downbeat_need_not_be_exact(ode_rhythm: Rhythm, off: float) -> None:
    """The nearest beat begins a bar; time signature, tempo and the beats stay."""
    told = analyse(ode(), overrides=NotationOptions(first_downbeat=1.0 + 2 * 2.4 + off))
    assert scored(told) == scored(ode_rhythm)
    assert told.beats == pytest.approx(ode_rhythm.beats, abs=1e-6)
    later = analyse(ode(), overrides=NotationOptions(first_downbeat=1.6 + off))
    assert later.metre == Metre(4, 4)
    assert later.tempo == pytest.approx(100, rel=0.01)
    assert np.abs(later.downbeats - 1.6).min() < 0.01


@pytest.mark.parametrize("metre", [(3, 4), (6, 8)])
def test_a_downbeat_that_is_not_exact_keeps_a_known_time_signature_and_its_tempo(metre: tuple[int, int]) -> None:
    beat, beats = (0.5, 3) if metre == (3, 4) else (0.75, 2)
    notes = played_freely(beats, parts=2 if beats == 3 else 3, beat=beat)
    downbeat = notes[0].onset
    found = analyse(notes, overrides=NotationOptions(metre=metre, first_downbeat=downbeat))
    assert found.tempo == pytest.approx(60 / beat, rel=0.03)
    for off in OFFSETS:
        told = analyse(notes, overrides=NotationOptions(metre=metre, first_downbeat=downbeat + off))
        assert (told.metre, told.tempo) == (found.metre, found.tempo)
        assert told.downbeats == pytest.approx(found.downbeats)


def played_freely(beats: int, *, parts: int, beat: float) -> list[Note]:
    """12 bars of a bass and broken chords over it, each beat up to 5 % longer or shorter than the mean."""
    edges = 1 + np.arange(12 * beats + 1) * beat + 0.05 * beat * np.sin(np.arange(12 * beats + 1) / 3)
    notes = []
    for number in range(12 * beats):
        root = 48 + (0, 5, 7, 0)[number // beats % 4]
        steps = np.linspace(edges[number], edges[number + 1], parts + 1)
        for part in range(parts):
            pitch = root + (12, 16, 19)[part] + 12 * (number % beats == 1)
            notes.append(Note(float(steps[part]), pitch, float(steps[part + 1]) - 0.02))
        if number % beats == 0:
            notes.append(Note(float(edges[number]), root, float(edges[number]) + beat * beats - 0.05))
    return sorted(notes)


@pytest.mark.parametrize("outside", [0.0, 30.0, 100.0])
def test_a_downbeat_before_or_after_the_music_changes_nothing(outside: float) -> None:
    """More than a bar away from it nobody knows how many beats lie between."""
    quarters = [Note(5 + 0.5 * at, 60 + at * 2 % 12, 5.45 + 0.5 * at, 80) for at in range(32)]
    rhythm = analyse(quarters, overrides=NotationOptions(first_downbeat=outside))
    assert rhythm.tempo == pytest.approx(120, abs=0.5)
    assert rhythm.beats[0] == pytest.approx(5.0, abs=0.01)
    assert rhythm == analyse(quarters)


@pytest.mark.parametrize("told", [0.2, 2.75, 3.25])
def test_a_downbeat_between_few_notes_changes_no_tempo(told: float) -> None:
    notes = [Note(0.5 + 0.5 * at, 60 + at * 2 % 12, 0.95 + 0.5 * at) for at in range(8)]
    found, rhythm = analyse(notes), analyse(notes, overrides=NotationOptions(first_downbeat=told))
    assert (rhythm.metre, rhythm.tempo) == (found.metre, pytest.approx(found.tempo))


@pytest.mark.parametrize("told", [0.0, 2.25, 100.0])
def test_bars_on_an_even_grid_reach_no_further_than_the_notes(told: float) -> None:
    notes = [Note(40.0, 60, 40.5), Note(41.0, 62, 41.5)]
    rhythm = analyse(notes, overrides=NotationOptions(first_downbeat=told))
    first, last = rhythm.time_map.seconds[0], rhythm.time_map.seconds[-1]
    assert 38 <= first <= 40
    assert 41.5 <= last <= 46
    assert (told - rhythm.first_downbeat) % 2 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tempo": 5.0}, "20..400"),
        ({"tempo": float("nan")}, "20..400"),
        ({"metre": (4, 5)}, "4/5"),
        ({"metre": (0, 4)}, "0/4"),
        ({"key": "H"}, "capital letter"),
        ({"first_downbeat": -1.0}, "0 or more"),
        ({"detail": "everything"}, "full, readable, melody"),
    ],
)
def test_wrong_options_are_refused_with_what_is_allowed(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        NotationOptions(**wrong)  # type: ignore[arg-type]


# Detail


def test_the_melody_is_one_line_of_highest_notes() -> None:
    rhythm = analyse(ode(), overrides=NotationOptions(detail="melody"))
    assert [note.pitch for note in rhythm.notes] == [pitch for pitch, _ in ODE * 2]
    assert {(note.voice, note.staff) for note in rhythm.notes} == {(0, 0)}


def test_staccato_is_written_out_where_it_should_be_readable_and_kept_in_full() -> None:
    rng_free = [replace(note, offset=note.onset + 0.6 * (note.offset - note.onset)) for note in ode()]
    # Short notes could be eighths at half the tempo, too.
    readable = analyse(rng_free, overrides=NotationOptions(tempo=100.0, detail="readable"))
    full = analyse(rng_free, overrides=NotationOptions(tempo=100.0, detail="full"))
    assert sum(note.duration for note in full.notes) < sum(note.duration for note in readable.notes)
    assert {note.duration for note in readable.notes} <= {Fraction(n, 2) for n in (1, 2, 3, 4, 8)}


# Odd input


def test_no_notes_are_an_empty_piece() -> None:
    rhythm = analyse([])
    assert rhythm.notes == ()
    assert len(rhythm.beats) == 0


def test_one_long_chord_is_whole_notes_on_an_even_grid() -> None:
    rhythm = analyse([Note(2.0, pitch, 22.0) for pitch in (48, 52, 55, 60)])
    assert {(note.onset, note.duration) for note in rhythm.notes} == {(Fraction(0), Fraction(40))}


def test_two_notes_are_two_notes() -> None:
    assert [n.pitch for n in analyse([Note(0.5, 60, 1.0), Note(1.5, 64, 2.0)]).notes] == [60, 64]


def test_five_eighths_can_be_asked_for() -> None:
    notes = line_of_fives()
    rhythm = analyse(notes, overrides=NotationOptions(metre=(5, 8), tempo=200))
    assert rhythm.metre == Metre(5, 8)
    assert np.diff(rhythm.downbeats) == pytest.approx(1.5, abs=0.03)


def line_of_fives() -> list[Note]:
    """Bars of five eighths, a low note at each bar's beginning."""
    pitches = [48, 64, 67, 60, 65]
    return [Note(0.5 + 0.3 * i, pitches[i % 5], 0.5 + 0.3 * i + 0.27) for i in range(100)]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda onset, pitch, length, program: Note(onset, pitch, onset + length, program=program),
            st.floats(0, 30),
            st.integers(21, 108),
            st.floats(0.01, 8),
            st.sampled_from([0, 40, 73]),
        ),
        max_size=60,
    ),
    st.sampled_from(["full", "readable", "melody"]),
)
def test_any_notes_give_a_score_that_holds_together(notes: list[Note], detail: str) -> None:
    rhythm = analyse(notes, overrides=NotationOptions(detail=detail))  # type: ignore[arg-type]
    assert_holds_together(notes, rhythm)
    if detail != "melody":
        assert {(n.program, n.pitch) for n in notes} == {(n.program, n.pitch) for n in rhythm.notes}


def test_an_attack_just_before_the_beats_is_on_the_first() -> None:
    beats = np.array([0.105, 1.62, 3.16])
    assert place(np.array([0.0, 0.11, 1.6]), beats, "simple").tolist() == [0, 0, PARTS]


@pytest.mark.parametrize("shift", [0.137])
def test_forty_minutes_are_read(shift: float) -> None:
    """Off any grid of tenths, too; a tune over and over for 40 minutes."""
    once = [replace(n, onset=n.onset + shift, offset=n.offset + shift) for n in ode(start=0.5)]
    length = 16 * 2.4
    notes = [
        replace(n, onset=n.onset + k * length, offset=n.offset + k * length)
        for k in range(int(2400 / length))
        for n in once
    ]
    rhythm = analyse(notes)
    assert rhythm.metre == Metre(4, 4)
    assert rhythm.beats[-1] > 2300
    assert len(rhythm.notes) == len(notes)


def test_free_rhythm_gives_a_score_that_holds_together() -> None:
    rng = np.random.default_rng(3)
    onsets = np.cumsum(rng.gamma(1.2, 0.5, size=150))
    notes = [Note(float(t), int(rng.integers(40, 90)), float(t + rng.uniform(0.1, 2.0))) for t in onsets]
    assert_holds_together(notes, analyse(notes))


def assert_holds_together(notes: list[Note], rhythm: Rhythm) -> None:
    """Every note is an input note, near where it was, within the map; voices are lines or chords on one staff."""
    first, last = rhythm.time_map.quarters[0], rhythm.time_map.quarters[-1]
    voices: dict[tuple[int, int], list[tuple[Fraction, Fraction]]] = {}
    staves: dict[tuple[int, int], set[int]] = {}
    for note in rhythm.notes:
        played = notes[note.index]
        assert (note.pitch, note.velocity, note.program) == (played.pitch, played.velocity, played.program)
        assert first <= note.onset < note.end
        assert note.onset <= last
        voices.setdefault((note.program, note.voice), []).append((note.onset, note.end))
        staves.setdefault((note.program, note.voice), set()).add(note.staff)
    assert all(len(staff) == 1 for staff in staves.values())
    for spans in voices.values():
        ordered = sorted(set(spans))
        assert all(before[1] <= after[0] for before, after in pairwise(ordered))

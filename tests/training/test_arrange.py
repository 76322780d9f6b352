import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.note import Note
from tests.training.material import scale
from training.arrange import fit_register, hull, jitter, perform, split_voices, strum, swell, thin
from training.instruments import FAMILIES, instrument
from training.musicnet import Part

PROGRAMS = sorted({program for family in FAMILIES.values() for program in family})


def chords(count: int, voices: int, *, gap: float = 0.5, length: float = 2.0) -> Part:
    starts = [(0.1 + i * gap, 40 + i % 4) for i in range(count)]  # no pitch of a chord comes back in the next three
    notes = [Note(onset, root + 4 * v, onset + length) for onset, root in starts for v in range(voices)]
    return Part.of(0, notes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_note_comes_into_the_instruments_range_with_its_name(program: int) -> None:
    player = instrument(program)
    part = Part.of(0, [Note(i * 0.2, 21 + 3 * i, i * 0.2 + 0.1) for i in range(29)])
    fitted = fit_register(part, player)
    assert all(player.lowest <= note.pitch <= player.highest for note in fitted.notes)
    assert {(note.pitch - 21) % 3 for note in fitted.notes} == {0}  # moved by octaves alone
    assert [note.onset for note in fitted.notes] == [note.onset for note in part.notes]


def test_a_part_that_fits_stays_where_it_is() -> None:
    part = Part.of(0, scale(7))
    assert [note.pitch for note in fit_register(part, instrument(40)).notes] == [note.pitch for note in part.notes]


def test_a_bass_line_goes_up_whole_for_a_flute() -> None:
    part = Part.of(43, [Note(i * 0.3, pitch, i * 0.3 + 0.2) for i, pitch in enumerate((36, 40, 43, 48))])
    assert [note.pitch for note in fit_register(part, instrument(73)).notes] == [60, 64, 67, 72]


def test_six_strings_sound_six_notes() -> None:
    thinned = thin(chords(10, 12), most_struck=4, most_sounding=6)
    times = np.arange(0, 6, 0.01)
    sounding = sum(((times >= n.onset) & (times < n.offset)).astype(int) for n in thinned.notes)
    assert np.max(sounding) == 6
    onsets = [note.onset for note in thinned.notes]
    assert all(onsets.count(onset) == 4 for onset in onsets)


def test_a_thinned_chord_keeps_top_and_bass() -> None:
    kept = hull([Note(0, pitch, 1) for pitch in (40, 45, 50, 55, 60)], 3)
    assert sorted(note.pitch for note in kept) == [40, 55, 60]


def test_a_strummed_chord_is_spread_and_ends_together() -> None:
    strummed = strum(chords(1, 4), np.random.default_rng(0), gap=0.02)
    onsets = [note.onset for note in strummed.notes]
    assert len(set(onsets)) == 4
    assert 0.02 < max(onsets) - min(onsets) < 0.1
    assert {note.offset for note in strummed.notes} == {2.1}


@given(seed=st.integers(0, 1000), spread=st.floats(0.001, 0.02))
def test_jitter_moves_no_onset_far(seed: int, spread: float) -> None:
    part = Part.of(0, scale(20))
    moved = jitter(part, np.random.default_rng(seed), spread=spread)
    shifts = [abs(one.onset - other.onset) for one, other in zip(part.notes, moved.notes, strict=True)]
    assert max(shifts) <= 3 * spread + 1e-9


@given(seed=st.integers(0, 1000))
def test_dynamics_are_varied_and_in_range(seed: int) -> None:
    played = perform(chords(20, 3), np.random.default_rng(seed))
    velocities = [note.velocity for note in played.notes]
    assert 12 <= min(velocities) < max(velocities) <= 127
    assert np.std(velocities) > 1


@given(seed=st.integers(0, 1000), period=st.floats(0.5, 20))
def test_a_swell_is_smooth_and_bounded(seed: int, period: float) -> None:
    curve = swell(np.arange(0, 30, 0.01), np.random.default_rng(seed), period=period)
    assert np.abs(curve).max() <= 1
    # Between two knots, half a period apart, a cosine goes by 2 at most: its slope is pi / (period / 2) at most.
    assert np.abs(np.diff(curve)).max() <= 0.01 * 2 * np.pi / period + 1e-9


def test_voices_divide_a_part() -> None:
    part = chords(5, 5)
    low, high = split_voices(part)
    assert sorted([*low.notes, *high.notes]) == sorted(part.notes)
    assert max(note.pitch for note in low.notes) < min(note.pitch for note in high.notes)

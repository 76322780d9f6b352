"""Pitch spelling: scales and chords as every musician writes them."""

import pytest

from model.notation.types import MAJOR_TONICS, MINOR_TONICS, Key
from model.score.spelling import signature_alter, spell

SIGNS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "x"}


def names(pitches: list[int], key: str) -> list[str]:
    return [one.step + SIGNS[one.alter] for one in spell(pitches, Key.parse(key))]


@pytest.mark.parametrize("tonic", MAJOR_TONICS)
def test_a_major_scale_needs_no_accidental(tonic: str) -> None:
    key = Key.parse(tonic)
    scale = [60 + key.tonic + step for step in (0, 2, 4, 5, 7, 9, 11, 12)]
    spelled = spell(scale, key)
    assert all(one.alter == signature_alter(one.step, key) for one in spelled)
    assert len({one.step for one in spelled}) == 7


@pytest.mark.parametrize("tonic", MINOR_TONICS)
def test_a_harmonic_minor_scale_has_every_letter_once(tonic: str) -> None:
    key = Key.parse(tonic)
    spelled = spell([60 + key.tonic + step for step in (0, 2, 3, 5, 7, 8, 11)], key)
    assert len({one.step for one in spelled}) == 7


def test_dominants_of_minor_have_their_leading_note() -> None:
    assert names([64, 68, 71, 74, 69, 72, 76], "a") == ["E", "G#", "B", "D", "A", "C", "E"]


def test_a_long_passage_in_another_key_is_spelled_in_it() -> None:
    """Ab, Db and Gb within C major are no G#, C# and F#, once all around them is flat."""
    flat_scale = [61, 63, 65, 66, 68, 70, 72] * 12  # D flat major
    assert names(flat_scale, "C")[35:42] == ["Db", "Eb", "F", "Gb", "Ab", "Bb", "C"]


@pytest.mark.parametrize("key", ["C", "Cb", "C#", "ab", "a#"])
def test_every_key_of_the_piano_keeps_its_pitch(key: str) -> None:
    naturals = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    for pitch, one in zip(range(21, 109), spell(list(range(21, 109)), Key.parse(key)), strict=True):
        assert 12 * (one.octave + 1) + naturals[one.step] + one.alter == pitch
        assert -2 <= one.alter <= 2

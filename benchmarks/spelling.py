"""How well pitches are spelled: our way and partitura's ps13, on scores whose spelling is known.

    python -m pip install partitura
    python -m benchmarks.spelling

Takes pieces of music21's corpus. Our way is told the key that music21 finds in the sounding pitches; ps13 needs none.
"""

import warnings
from statistics import mean

import music21
import numpy as np

from model.notation.types import Key
from model.score.spelling import Spelling, spell

PIECES = (
    *(
        f"bach/bwv{number}"
        for number in ("66.6", "7.7", "10.7", "20.7", "26.6", "57.8", "83.5", "101.7", "110.7", "144.3")
    ),
    *("mozart/k155/movement1", "mozart/k156/movement2", "mozart/k458/movement1", "haydn/opus74no1/movement3"),
    *("beethoven/opus18no1/movement1", "beethoven/opus59no1/movement3", "beethoven/opus132"),
)


def main() -> None:
    """Print the share of notes that are spelled as their composers did."""
    shares = []
    for name in PIECES:
        notes, key = _read(name)
        truth = [spelling for _, _, spelling in notes]
        ours = _right(spell([pitch for _, pitch, _ in notes], key), truth)
        theirs = _right(_ps13(notes), truth)
        shares.append((len(notes), ours, theirs))
        print(f"{name:32} {len(notes):6} notes  ours {ours:.4f}  ps13 {theirs:.4f}", flush=True)
    weights = [count for count, _, _ in shares]
    for column, label in ((1, "ours"), (2, "ps13")):
        values = [share[column] for share in shares]
        print(f"{label}: {np.average(values, weights=weights):.4f} of all notes, {mean(values):.4f} mean over pieces")


def _read(name: str) -> tuple[list[tuple[float, int, Spelling]], Key]:
    """Onset (quarters), pitch and spelling of each note, and the key."""
    score = music21.corpus.parse(name)
    notes = sorted(
        (float(element.offset), pitch.midi, Spelling(pitch.step, int(pitch.alter), pitch.octave))
        for part in score.parts
        for element in part.flatten().notes
        if not isinstance(element, music21.harmony.ChordSymbol)
        for pitch in element.pitches
    )
    found = score.analyze("key")
    return notes, Key(found.tonic.pitchClass, found.mode, found.sharps)


def _ps13(notes: list[tuple[float, int, Spelling]]) -> list[Spelling]:
    from partitura.musicanalysis import estimate_spelling

    kinds = [("onset_beat", "f4"), ("duration_beat", "f4"), ("pitch", "i4"), ("velocity", "i4")]
    table = np.array([(onset, 1, pitch, 64) for onset, pitch, _ in notes], dtype=kinds)
    return [Spelling(str(one["step"]), int(one["alter"]), int(one["octave"])) for one in estimate_spelling(table)]


def _right(found: list[Spelling], truth: list[Spelling]) -> float:
    return mean((a.step, a.alter) == (b.step, b.alter) for a, b in zip(found, truth, strict=True))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()

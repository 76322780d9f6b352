"""How well notes become notation, on scores that are played, from the notes alone or through audio and the network.

    python -m benchmarks.notation                    the half for reports; --half tuning for the other
    python -m benchmarks.notation --soundfont FILE   through FluidSynth and the served checkpoint
    python -m benchmarks.notation fit                counts model/notation/profile.json anew in the tuning half
    python -m benchmarks.notation learn              learns model/notation/choice.json anew, in the tuning half and 680
                                                     excerpts of other works; some 20 minutes

Needs music21 and partitura (``pip install -e '.[scores]'``); scores are read once and kept in --cache.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.notation.fitting import fit
from benchmarks.notation.measures import NAMES, Written, measure
from benchmarks.notation.more import load_more
from benchmarks.notation.playing import Performance, play
from benchmarks.notation.readers import ours, plain
from benchmarks.notation.scores import load_scores
from model.note import Note

PLAYED = 2  # performances of each score to learn from
Reader = Callable[[list[Note]], Written]


def table(performances: list[Performance], heard: list[list[Note]], reader: Reader) -> list[dict[str, float]]:
    """Measures of every performance."""
    return [measure(p, notes, reader(notes)) for p, notes in zip(performances, heard, strict=True)]


def line(name: str, rows: list[dict[str, float]]) -> str:
    """A row of the table: means, with what has no answer left out."""
    means = [np.nanmean([row[key] for row in rows]) for key in NAMES]
    return f"| {name} | {len(rows)} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("report", "fit", "learn"), default="report")
    parser.add_argument("--half", choices=("report", "tuning"), default="report")
    parser.add_argument("--soundfont", type=Path, help="play through FluidSynth with this soundfont, and transcribe")
    parser.add_argument("--cache", type=Path, default=Path("var/notation-scores.pickle"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", action="store_true", help="a line for each score, too")
    options = parser.parse_args()
    tuning, report = load_scores(options.cache)
    if options.what == "learn":
        from benchmarks.notation.learning import examples, learn, validate, write

        more = load_more(options.cache.with_suffix(".more.pickle"), report)
        known = {score.name for score in more}
        chosen = list(examples([*more, *(score for score in tuning if score.name not in known)], times=PLAYED))
        print({name: round(worth, 3) for name, worth in validate(chosen).items()})
        write(learn(chosen))
        return
    half = tuning if options.what == "fit" or options.half == "tuning" else report
    performances = [play(score, seed=options.seed + i) for i, score in enumerate(half)]
    if options.what == "fit":
        fit(performances)
        return
    heard = [p.notes for p in performances]
    if options.soundfont:
        from benchmarks.notation.sounding import transcribed

        heard = transcribed(performances, options.soundfont)
    print("| reader | scores | " + " | ".join(NAMES) + " |")
    print("|---" * (len(NAMES) + 2) + "|")
    for name, reader in {"this project": ours, "librosa's beats, nearest sixteenth": plain}.items():
        rows = table(performances, heard, reader)
        print(line(name, rows))
        if reader is ours:
            for group in sorted({p.score.group for p in performances}):
                print(
                    line(
                        f"- {group}", [row for p, row in zip(performances, rows, strict=True) if p.score.group == group]
                    )
                )
            if options.each:
                for p, row in zip(performances, rows, strict=True):
                    print(f"{p.score.name} {p.score.metre}", {key: round(value, 2) for key, value in row.items()})


if __name__ == "__main__":
    main()

"""What recordings score under other conditions than they were made in: shared by `levels` and `tuning`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.evaluate import System, Transcription, score_set
from training.prepared import Recording, Waveform
from training.scores import means

SCORES = {"note_f1": "note F1", "note_offset_f1": "with offset", "frame_f1": "frame F1"}


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A command line that names prepared sets and how much of each recording is heard."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="PREPARED/SET")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording")
    return parser


def served() -> Transcriber:
    """The served network on two threads."""
    return Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)


def hearing(transcriber: Transcriber, changed: Callable[[Waveform], Waveform]) -> System:
    """What hears recordings after a change that moves no note."""
    options = DecodingOptions(**ENTRY["decoding"])

    def hear(_: Recording, waveform: Waveform) -> Transcription:
        return Transcription(decode_notes(transcriber.activations(changed(waveform)), options), None)

    return hear


def print_head(*names: str) -> None:
    """The table's first two lines."""
    columns = [*names, *SCORES.values()]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def print_row(*values: str, folder: Path, system: System, seconds: float, frame_rate: float) -> None:
    """One line: the set's name, what the conditions are, and the means that a system reaches in them."""
    outcome = score_set(folder, system, first_seconds=seconds, frame_rate=frame_rate, report=lambda _: None)
    found = means([one.tally for one in outcome.scored])
    print(f"| {' | '.join([folder.name, *values, *(f'{found[score]:.3f}' for score in SCORES)])} |", flush=True)

"""A worker's peak memory on short and long recordings.

    python -m benchmarks.memory [--minutes 3 60 120]

Each length is a process of its own that does what a worker does with a file: decode, hear, write, find the notes.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile

from app.settings import Settings
from app.worker.confined.decoder import build_audio_decoder
from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY, generated_music
from model.audio import AudioLimits
from model.note_events import DecodingOptions
from model.results import write_results
from model.transcriber import Transcriber


def work(audio: Path, folder: Path) -> None:
    """Do a worker's work once and print the peak memory in MB."""
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)
    limits = AudioLimits(max_seconds=10_000)
    with (
        build_audio_decoder(Settings()) as decoder,
        decoder.open(audio, sr=transcriber.sr, limits=limits) as source,
    ):
        transcriber.write_activations(source, folder / "activations", on_progress=lambda _: None)
    options = DecodingOptions(**ENTRY["decoding"])
    found = write_results(folder / "activations", folder, options=options, tempo=120, title="")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found.n_notes)


def write_recording(path: Path, minutes: int) -> None:
    """Three minutes of music over and over, as FLAC."""
    piece = generated_music(180.0)
    with soundfile.SoundFile(path, "w", 16000, 1) as file:
        for _ in range(-(-minutes // 3)):
            file.write(piece)


def measure(minutes: int) -> tuple[float, int]:
    """Peak memory (MB) and number of notes of a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        audio = Path(name) / "a.flac"
        write_recording(audio, minutes)
        command = [sys.executable, "-m", "benchmarks.memory", "--work", str(audio), name]
        peak, notes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(peak), int(notes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[3, 60, 120])
    parser.add_argument("--work", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return
    print("| minutes | peak MB | above the first | notes |\n|---|---|---|---|")
    first = None
    for minutes in arguments.minutes:
        peak, notes = measure(minutes)
        first = first or peak
        print(f"| {minutes} | {peak:.0f} | {peak - first:+.0f} | {notes} |", flush=True)


if __name__ == "__main__":
    main()

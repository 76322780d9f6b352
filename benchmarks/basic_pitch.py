"""Score Spotify's basic-pitch 0.4.0 (its ONNX model, default thresholds) and the served network on prepared sets.

Both by our own scoring code, one after the other in one run, with the speed of each from WAV files to notes; the served
network in a process that is set up as a worker is.

    python -m benchmarks.basic_pitch --data data/maps_validation --data data/synth_test --seconds 60

Makes an environment of its own under var/ at the first run, since basic-pitch asks for versions that differ from ours.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from benchmarks.common import DEFAULT_CHECKPOINT, ENTRY
from model.cqt import CqtConfig
from model.note_events import DecodingOptions, decode_notes
from model.transcriber import Transcriber
from training.evaluate import Outcome, System, Transcription, midi_system, score_set, summary, table, write_report
from training.prepared import SAMPLE_RATE, Json, Recording, read_audio, read_manifest

# basic-pitch itself without what it declares: of the four runtimes for its model we need one.
PACKAGES = (
    "onnxruntime>=1.20",
    "librosa>=0.11,<0.12",
    "resampy<0.4.3",
    "mir_eval>=0.6",
    "pretty_midi>=0.2.9",
    "scipy>=1.4",
)
RUNNER = Path(__file__).with_name("run_basic_pitch.py")


def make_environment(folder: Path) -> Path:
    """Install basic-pitch if it is not there; returns the environment's Python."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", "basic-pitch==0.4.0"], check=True)
        (folder / "complete").touch()
    return python


def transcribe_set(python: Path, folder: Path, seconds: float, work: Path) -> float:
    """Let basic-pitch write ``<id>.mid`` for each recording into a folder; returns seconds of audio per second."""
    total = 0.0
    lines = []
    for recording in read_manifest(folder):
        waveform = read_audio(
            folder / f"{recording.id}.wav", n_samples=round(min(seconds, recording.seconds) * SAMPLE_RATE)
        )
        soundfile.write(work / f"{recording.id}.wav", waveform, SAMPLE_RATE)
        lines.append(f"{work / recording.id}.wav\t{work / recording.id}.mid")
        total += len(waveform) / SAMPLE_RATE
    # -P: this folder has a basic_pitch.py too, which must not be found in place of the package.
    command = [str(python), "-P", str(RUNNER)]
    environment = {**os.environ, "PYTHONPATH": ""}
    run = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, env=environment)
    if run.returncode != 0:
        sys.exit(f"basic-pitch failed:\n{run.stderr[-2000:]}")
    spent = next(line for line in run.stdout.splitlines() if line.startswith("SECONDS"))
    return total / float(spent.split()[1])


def hear_set(folder: Path, seconds: float) -> tuple[Outcome, float]:
    """What the served network makes of a set, and seconds of audio per second."""
    spent = audio = 0.0
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu")
    options = DecodingOptions(**ENTRY["decoding"])
    transcriber.activations(np.zeros(30 * SAMPLE_RATE, dtype=np.float32))  # basic-pitch has had its first call, too

    def hear(recording: Recording, waveform: NDArray[np.float32]) -> Transcription:
        nonlocal spent, audio
        begun = time.perf_counter()
        # From the file, as basic-pitch: it is the same audio again.
        read = read_audio(folder / f"{recording.id}.wav", n_samples=len(waveform))
        notes = decode_notes(transcriber.activations(read), options)
        spent += time.perf_counter() - begun
        audio += len(waveform) / SAMPLE_RATE
        return Transcription(notes, None)

    return score(folder, hear, seconds), audio / spent


def score(folder: Path, system: System, seconds: float) -> Outcome:
    """Scores of a system on a set."""
    frame_rate = CqtConfig().frame_rate
    return score_set(folder, system, first_seconds=seconds, frame_rate=frame_rate, report=lambda _: None)


def main(
    data: Annotated[list[Path], typer.Option(help="A prepared set. Repeat for more.")],
    seconds: Annotated[float, typer.Option(help="Take no more than this of each recording.", min=1)] = 60,
    environment: Annotated[Path, typer.Option(help="Where basic-pitch is installed.")] = Path("var/basic-pitch"),
    out: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Score both on prepared sets."""
    python = make_environment(environment.absolute())
    results: dict[str, Json] = {}
    for folder in data:
        with tempfile.TemporaryDirectory() as work:
            speed = transcribe_set(python, folder, seconds, Path(work))
            scored = score(folder, midi_system(Path(work)), seconds)
        ours, our_speed = hear_set(folder, seconds)
        typer.echo(f"{folder.name}\nbasic-pitch, {speed:.0f} x real time\n{table(scored)}")
        typer.echo(f"served, {our_speed:.0f} x real time: {our_speed / speed:.1f} x basic-pitch\n{table(ours)}")
        results[folder.name] = {
            "basic-pitch": {**summary(scored), "times_real_time": round(speed, 1)},
            "served": {**summary(ours), "times_real_time": round(our_speed, 1)},
        }
    if out is not None:
        write_report(out, {"system": "basic-pitch 0.4.0, ONNX", "first_seconds": seconds, "sets": results})


if __name__ == "__main__":
    typer.run(main)

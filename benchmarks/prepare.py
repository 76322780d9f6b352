"""What `prepare` needs for a recording of MusicNet's kind: peak memory on short and long ones, and CPU time.

    python -m benchmarks.prepare [--minutes 2 10 60]

Each length is a process of its own that prepares one generated recording (44.1 kHz, mono, 32-bit float, as MusicNet is
published) with ten labels a second.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.common import generated_music
from training.jobs import run_jobs
from training.published import published_jobs

SR = 44100


def write_recording(root: Path, minutes: int) -> None:
    """Two minutes of music over and over, and labels that need not fit."""
    for kind in ("train_data", "train_labels", "test_data", "test_labels"):
        (root / kind).mkdir()
    piece = generated_music(120.0, sr=SR)
    with soundfile.SoundFile(root / "train_data" / "1727.wav", "w", SR, 1, "FLOAT") as file:
        for _ in range(-(-minutes // 2)):
            file.write(piece)
    onsets = np.arange(0, minutes * 60 - 1, 0.1)
    rows = [f"{int(t * SR)},{int((t + 0.3) * SR)},1,{36 + i % 60},0,1,Quarter" for i, t in enumerate(onsets)]
    columns = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
    (root / "train_labels" / "1727.csv").write_text("\n".join([columns, *rows]) + "\n")


def work(root: Path, out: Path) -> None:
    """Prepare and print the peak memory in MB and the CPU seconds it took beyond starting."""
    begun = cpu_seconds()
    outcome = run_jobs(out, published_jobs(root, "train"), workers=1)
    assert outcome.made == ["1727"], outcome
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, cpu_seconds() - begun)


def cpu_seconds() -> float:
    """What this process has used; other work on the machine does not count."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(minutes: int) -> tuple[float, float]:
    """Peak memory (MB) and CPU seconds of a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name) / "in", Path(name) / "out"
        root.mkdir()
        write_recording(root, minutes)
        command = [sys.executable, "-m", "benchmarks.prepare", "--work", str(root), str(out)]
        peak, seconds = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(peak), float(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[2, 10, 60])
    parser.add_argument("--work", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return
    print("| minutes | peak MB | above the first | CPU seconds | times real time |\n|---|---|---|---|---|")
    first = None
    for minutes in arguments.minutes:
        peak, seconds = measure(minutes)
        first = first or peak
        print(
            f"| {minutes} | {peak:.0f} | {peak - first:+.0f} | {seconds:.1f} | {60 * minutes / seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

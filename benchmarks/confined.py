"""What the fences around decoders cost.

    python -m benchmarks.confined [--minutes 3] [--runs 5]

A recording goes from file to activations twice: decoded in this process, and by a confined decoder beside it. Runs of
both alternate. Time on the processor is that of all processes together, which says what a busy machine pays; the time
by the clock may even gain, since decoding and network then run side by side.
"""

import argparse
import os
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.settings import Settings
from app.worker.confined.decoder import AudioDecoder, build_audio_decoder
from benchmarks.common import DEFAULT_CHECKPOINT, generated_music, write_mp3
from model.audio import AudioLimits, AudioReader
from model.listening import Progress
from model.transcriber import Transcriber

Run = Callable[[Callable[[Progress], None]], object]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    transcriber = Transcriber.load(DEFAULT_CHECKPOINT, device="cpu", threads=2)
    with tempfile.TemporaryDirectory() as name, build_audio_decoder(Settings()) as decoder:
        recording = Path(name) / "a.mp3"
        write_mp3(generated_music(60 * arguments.minutes, sr=44100), recording, sr=44100)
        compare(transcriber, decoder, recording, arguments.runs)


def compare(transcriber: Transcriber, decoder: AudioDecoder, recording: Path, runs: int) -> None:
    """Measure both ways."""
    target = recording.with_name("activations")

    def here(on_progress: Callable[[Progress], None]) -> None:
        with recording.open("rb") as file, AudioReader(file, sr=transcriber.sr, limits=AudioLimits()) as source:
            transcriber.write_activations(source, target, on_progress=on_progress)

    def confined(on_progress: Callable[[Progress], None]) -> None:
        with decoder.open(recording, sr=transcriber.sr, limits=AudioLimits()) as source:
            transcriber.write_activations(source, target, on_progress=on_progress)

    ways: dict[str, Run] = {"in this process": here, "confined": confined}
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    peak = 0

    def look(_: Progress) -> None:
        nonlocal peak
        peak = max(peak, peak_memory(decoder.start().pid))

    for run in ways.values():
        run(look)  # warm
    for _ in range(runs):
        for way, run in ways.items():
            measured[way].append(cost(lambda run=run: run(lambda _: None), decoder.start().pid))
    print("| decoded | s by the clock, median | least | s on the processor, median | least |\n|---|---|---|---|---|")
    for way, costs in measured.items():
        columns = [f"{value:.2f}" for one in zip(*costs, strict=True) for value in (statistics.median(one), min(one))]
        print(f"| {way} | {' | '.join(columns)} |")
    print(f"\npeak memory of the decoder: {peak / 1024:.0f} MB")


def cost(run: Callable[[], object], server: int) -> tuple[float, float]:
    """Seconds by the clock and on the processor, that of the decoder included."""
    clock, cpu = time.perf_counter(), own_seconds() + process_seconds(server)
    run()
    return time.perf_counter() - clock, own_seconds() + process_seconds(server) - cpu


def own_seconds() -> float:
    """Time that this process has spent on the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def process_seconds(pid: int) -> float:
    """Time that another process and its ended children have spent on the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_memory(server: int) -> int:
    """Most memory that any decoder of this server has taken so far, in kB."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    texts = [Path(f"/proc/{child}/status").read_text() for child in children]
    return max((int(found[1]) for text in texts if (found := re.search(r"VmHWM:\s+(\d+)", text))), default=0)


if __name__ == "__main__":
    main()

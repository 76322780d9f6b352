"""How many workers a load needs, what they cost, and what gives in first: the tables of docs/scaling.md.

    python -m benchmarks.capacity --measure benchmarks/capacity.json     # measure this machine
    python -m benchmarks.capacity --measured benchmarks/capacity.json --into docs/scaling.md

What was measured (benchmarks/capacity_measures.py) feeds a simulation of the queue (benchmarks/queueing.py). Which
recordings come, and all prices, are assumptions: give your own. A worker here is one process with one thread.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.queueing import Mix, divide, simulate

WORKERS = (1, 2, 4, 8, 16, 64, 256, 1000)
LOADS = (0.5, 0.8, 0.9, 0.95)
USUAL_MIX = "30:0.1,180:0.6,300:0.2,900:0.06,3600:0.03,7200:0.01"
# How often the longest recording could pass through a worker, one after the other, in the time that is simulated: what
# comes while the first ones still run says nothing of a service that has been up for long.
LONGEST_PASSED = 10
# The load at which the other parts are looked at; above it waits grow steeply.
USUAL_LOAD = 0.8
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
BEGIN, END = "<!-- written by benchmarks.capacity -->", "<!-- end of what benchmarks.capacity has written -->"


class Measured:
    """A file that `--measure` has written."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._jobs = sorted(document["jobs"], key=lambda job: job["audio_seconds"])

    def at(self, name: str, audio_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """A number of a job for recordings of any length: straight lines between those that were measured."""
        lengths = np.array([job["audio_seconds"] for job in self._jobs])
        values = np.array([job[name] for job in self._jobs])
        slope = (values[-1] - values[-2]) / (lengths[-1] - lengths[-2])
        beyond = np.maximum(0.0, audio_seconds - lengths[-1]) * slope
        return np.interp(audio_seconds, lengths, values) + beyond

    def mean(self, name: str, mix: Mix) -> float:
        """A number of a job, on the average of the recordings that come."""
        return float(self.at(name, mix.audio) @ mix.shares)

    def mix(self, text: str) -> Mix:
        """The recordings that come, from `seconds:share,...`."""
        pairs = [tuple(map(float, part.split(":"))) for part in text.split(",")]
        audio, shares = (np.array(column) for column in zip(*pairs, strict=True))
        return Mix(audio, self.at("work_seconds", audio), shares / shares.sum())


def work_table(measured: Measured) -> Iterator[str]:
    """What was measured of jobs."""
    yield "| Recording, s | Work, s | Work per second of audio, ms | Redis commands | Kept, kB per second of audio |"
    yield "|---|---|---|---|---|"
    for job in measured.document["jobs"]:
        seconds = job["audio_seconds"]
        yield (
            f"| {seconds:g} | {job['work_seconds']:.2f} | {1000 * job['work_seconds'] / seconds:.1f}"
            f" | {job['redis_commands']} | {job['stored_bytes'] / seconds / 1000:.1f} |"
        )


def waits_table(mix: Mix, arguments: argparse.Namespace) -> Iterator[str]:
    """Waiting against load, with one queue and with two."""
    share = mix.long_share(arguments.long_seconds)
    yield "| Workers | Load | Jobs an hour | One queue: median, p95, p99 | Two: workers | Short | Long |"
    yield "|---|---|---|---|---|---|---|"
    for workers in WORKERS:
        lanes = divide(workers, share) if workers > 1 else None
        for load in LOADS:
            yield waits_row(mix, workers, load, lanes, share, arguments)


def waits_row(
    mix: Mix, workers: int, load: float, lanes: tuple[int, int] | None, share: float, arguments: argparse.Namespace
) -> str:
    """One line of it."""
    common = {
        "load": load,
        "workers": workers,
        "long_seconds": arguments.long_seconds,
        "jobs": max(arguments.jobs, round(LONGEST_PASSED * mix.work.max() * workers * load / mix.mean_work)),
    }
    together = simulate(mix, lanes=None, **common)
    cells = [str(workers), f"{load:.0%}", f"{3600 * workers * load / mix.mean_work:,.0f}"]
    cells.append(quantiles(np.concatenate([together.usual, together.long])))
    if lanes is None:
        cells += ["", "", ""]
    elif max(workers * load * (1 - share) / lanes[0], workers * load * share / lanes[1]) >= 1:
        cells += [f"{lanes[0]} + {lanes[1]}", "one lane has more work than its workers can do", ""]
    else:
        apart = simulate(mix, lanes=lanes, **common)
        cells += [f"{lanes[0]} + {lanes[1]}", quantiles(apart.usual), quantiles(apart.long)]
    return "| " + " | ".join(cells) + " |"


def quantiles(waits: NDArray[np.float64]) -> str:
    """Median, 95th and 99th percentile as text."""
    return ", ".join(duration(float(np.quantile(waits, q))) for q in (0.5, 0.95, 0.99)) if len(waits) else "none came"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads well."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s" if seconds >= 0.05 else "0 s"


def costs_table(measured: Measured, mix: Mix, arguments: argparse.Namespace) -> Iterator[str]:
    """Money for 1,000 hours of audio."""
    paid = 1000 / arguments.utilisation
    gigabytes = 3600 * 1000 * measured.mean("stored_bytes", mix) / mix.mean_audio / 1e9
    rows = [
        ("CPU, hours of a core (work measured)", paid * mix.mean_work / mix.mean_audio, arguments.cpu_price),
        (f"GPU, hours ({arguments.gpu_speed:g} x real time assumed)", paid / arguments.gpu_speed, arguments.gpu_price),
        ("storage, GB for a month", gigabytes * arguments.retention_days / 30, arguments.storage_price),
    ]
    yield f"| Processors used {arguments.utilisation:.0%} of the time | Amount | Price of one | 1,000 hours of audio |"
    yield "|---|---|---|---|"
    for name, amount, price in rows:
        yield f"| {name} | {amount:.2f} | {price:g} | {amount * price:.2f} |"


def limits_table(measured: Measured, mix: Mix, arguments: argparse.Namespace) -> Iterator[str]:
    """What each of the other parts can bear, and with how many workers it is asked for that."""
    document = measured.document
    requests = document["requests"]
    api = requests["upload_seconds"] + arguments.polls * requests["poll_seconds"]
    command = measured.mean("redis_commands", mix) * document["redis"]["seconds_per_command"]
    disk = document["storage"]["bytes_per_second"]
    parts = [
        (f"one API process ({arguments.polls:g} polls a job)", 1 / api),
        (f"Redis ({1 / document['redis']['seconds_per_command']:,.0f} commands/s)", 1 / command),
        *(
            (f"{DATABASES[name]} as job table", found["jobs_per_second"])
            for name, found in document["databases"].items()
        ),
        (f"storage ({disk / 1e6:.0f} MB/s)", disk / measured.mean("stored_bytes", mix)),
    ]
    yield "| Part | Jobs a second that it bears | CPU workers that ask for so many | GPUs that do |"
    yield "|---|---|---|---|"
    gpu_work = mix.mean_audio / arguments.gpu_speed
    for name, rate in sorted(parts, key=lambda part: part[1]):
        workers, gpus = (rate * work / USUAL_LOAD for work in (mix.mean_work, gpu_work))
        yield f"| {name} | {rate:,.1f} | {workers:,.0f} | {gpus:,.1f} |"


def space_sentence(measured: Measured, mix: Mix, arguments: argparse.Namespace) -> str:
    """How much room the jobs of the retention time take."""
    a_day = 86400 * USUAL_LOAD / mix.mean_work * measured.mean("stored_bytes", mix)
    return (
        f"Each worker at {USUAL_LOAD:.0%} load fills {a_day / 1e9:.1f} GB a day, {arguments.retention_days:g} days of"
        f" which are kept: {a_day * arguments.retention_days / 1e9:.0f} GB."
    )


def report(measured: Measured, arguments: argparse.Namespace) -> str:
    """All tables."""
    mix = measured.mix(arguments.mix)
    come = ", ".join(f"{share:.0%} of {seconds:g} s" for seconds, share in zip(mix.audio, mix.shares, strict=True))
    parts = [
        "### Work of a job",
        *work_table(measured),
        "",
        f"Assumed to come: {come}; {mix.mean_audio:.0f} s on average, {mix.mean_work:.2f} s of work. Those above"
        f" {arguments.long_seconds:g} s are long: {mix.long_share(arguments.long_seconds):.0%} of the work.",
        "",
        "### Waiting",
        *waits_table(mix, arguments),
        "",
        "### Cost",
        *costs_table(measured, mix, arguments),
        "",
        "### What gives in",
        *limits_table(measured, mix, arguments),
        "",
        space_sentence(measured, mix, arguments),
    ]
    return "\n".join(parts)


def put_into(path: Path, text: str) -> None:
    """Replace what stands between the two marks."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{path} has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, help="measure, write this file, and end")
    parser.add_argument("--lengths", default="10,60,180,600", help="seconds of the recordings to measure")
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database to measure as well")
    parser.add_argument("--measured", type=Path, default=Path("benchmarks/capacity.json"))
    parser.add_argument("--into", type=Path, help="page whose tables to replace; printed if not given")
    parser.add_argument("--mix", default=USUAL_MIX, help="recordings that come: seconds:share,...")
    parser.add_argument("--long-seconds", type=float, default=1200.0)
    parser.add_argument("--jobs", type=int, default=10_000, help="recordings in each simulation, at least")
    parser.add_argument("--polls", type=float, default=20.0, help="times that a caller asks after a job")
    parser.add_argument("--cpu-price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--gpu-price", type=float, default=2.0, help="of a GPU for an hour")
    parser.add_argument("--gpu-speed", type=float, default=1000.0, help="seconds of audio that a GPU hears in a second")
    parser.add_argument("--utilisation", type=float, default=0.7, help="share of the paid hours in which there is work")
    parser.add_argument("--storage-price", type=float, default=0.02, help="of a GB for a month")
    parser.add_argument("--retention-days", type=float, default=7.0)
    return parser.parse_args()


def main() -> None:
    """Measure, or report."""
    arguments = parse()
    if arguments.measure:
        from benchmarks.capacity_measures import measure, save  # the report needs none of the service

        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            lengths = [float(text) for text in arguments.lengths.split(",")]
            save(measure(Path(folder), lengths, arguments.database_url), arguments.measure)
        return
    text = report(Measured(json.loads(arguments.measured.read_text())), arguments)
    if arguments.into:
        put_into(arguments.into, text)
    else:
        print(text)


if __name__ == "__main__":
    main()

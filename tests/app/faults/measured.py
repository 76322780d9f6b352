"""What a run of this suite has measured, for the table of docs/reliability.md.

    make measure-faults

A test breaks something, mends it, and waits until every job has ended. Counted are the jobs that it looked at then, and
the seconds of that last wait: how long it took until all was well again, the work itself included.
"""

import fnmatch
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Measured:
    """Jobs and seconds of every wait of every test."""

    waits: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, jobs: int, seconds: float) -> None:
        """Note a wait of the test that runs; what its fixtures do is not the test."""
        name, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
        if phase == "(call)":
            self.waits[name.rpartition("/")[2]].append((jobs, seconds))

    def cell(self, tests: list[str]) -> str:
        """What the tests of a row have measured; nothing where none of them ran."""
        runs = [waits for name, waits in self.waits.items() if any(_is(name, pattern) for pattern in tests)]
        if not runs:
            return ""
        jobs = sum(max(number for number, _ in waits) for waits in runs)
        seconds = sorted(max(spent for _, spent in waits) for waits in runs)
        times = f"{seconds[0]:.1f} s" if len(runs) == 1 else f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
        return f"{_plural(jobs, 'job')}, {_plural(len(runs), 'run')}: {times}"

    def write(self, page: Path) -> None:
        """Fill the last column of the page's table in; rows whose tests did not run stay as they are."""
        page.write_text("\n".join(self._filled(line) for line in page.read_text().split("\n")))

    def _filled(self, line: str) -> str:
        columns = line.split(" | ")
        measured = self.cell(_tests_of(columns[2])) if len(columns) == 4 else ""
        return " | ".join([*columns[:3], f"{measured} |"]) if measured else line


MEASURED = Measured()


def _tests_of(column: str) -> list[str]:
    """The patterns of a row's tests; one that begins with `::` is in the file of the one before."""
    found: list[str] = []
    for pattern in re.findall(r"`([^`]+)`", column):
        file = found[-1].partition("::")[0] if pattern.startswith("::") else ""
        found.append(file + pattern)
    return found


def _is(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.partition("[")[0], pattern)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

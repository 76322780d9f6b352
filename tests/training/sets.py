"""Prepared sets of a few seconds, and a reader of the pages that are made of them."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from model.note import Note
from tests.model.signals import SR, melody
from training.prepared import write_manifest, write_recording


def write_set(
    folder: Path, recordings: dict[str, Sequence[Note]], *, seconds: float = 6.0, source: str = "test"
) -> None:
    """Write a prepared set in which plucked strings play these notes."""
    folder.mkdir(parents=True)
    records = []
    for name, notes in recordings.items():
        audio = melody([(note.onset, note.offset, note.pitch) for note in notes], seconds)
        assert len(audio) == seconds * SR
        records.append(
            write_recording(folder, name, audio.astype(np.float32), notes, source=source, split="validation", made={})
        )
    write_manifest(folder, records)


class Links(HTMLParser):
    """Collects what a page points at."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.targets.append(value)
            if name == "id" and value:
                self.ids.add(value)


def links_of(page: Path) -> list[Path]:
    """The files that a page points at, having checked that it points at nothing outside its folder."""
    links = Links()
    links.feed(page.read_text())
    assert {target[1:] for target in links.targets if target.startswith("#")} <= links.ids
    files = [target for target in links.targets if not target.startswith("#")]
    assert not [target for target in files if ":" in target or target.startswith(("/", ".."))]
    return [page.parent / target for target in files]

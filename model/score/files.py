"""A score's files: everything that is served of it, written into one folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from model.notation.quantized_midi import to_quantized_midi
from model.notation.types import Rhythm
from model.score.engraving import engrave, to_pdf
from model.score.layout import lay_out
from model.score.moments import describe
from model.score.musicxml import to_musicxml, to_mxl

MUSICXML_FILE = "score.musicxml"
MXL_FILE = "score.mxl"
PDF_FILE = "score.pdf"
MIDI_FILE = "quantized.mid"
DESCRIPTION_FILE = "score.json"


def page_file(number: int) -> str:
    """Name of a page, counted from 1."""
    return f"page-{number}.svg"


def write_score(rhythm: Rhythm, folder: Path, *, title: str = "", track_names: Mapping[str, str] | None = None) -> None:
    """Write MusicXML, plain and compressed, the engraved pages as SVG and PDF, MIDI on the grid, and a description.

    Parameters
    ----------
    rhythm : Rhythm
    folder : Path
        Exists; files of the same names are overwritten.
    title : str
        Stands above the first system.
    track_names : mapping from str to str, optional
        Names of parts, by the instrument's name; a part without one is called after its instrument.
    """
    score = lay_out(rhythm, title=title, track_names=track_names)
    musicxml = to_musicxml(score)
    pages = engrave(musicxml)
    (folder / MUSICXML_FILE).write_bytes(musicxml)
    (folder / MXL_FILE).write_bytes(to_mxl(musicxml))
    (folder / PDF_FILE).write_bytes(to_pdf(pages))
    to_quantized_midi(rhythm, title=title, track_names=track_names).save(folder / MIDI_FILE)
    for number, page in enumerate(pages, start=1):
        (folder / page_file(number)).write_bytes(page)
    document = json.dumps(describe(score, rhythm, pages), separators=(",", ":"))
    (folder / DESCRIPTION_FILE).write_text(document + "\n", encoding="utf-8")

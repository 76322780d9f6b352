"""MusicXML engraved: pages as SVG by Verovio, and bound as PDF by Typst."""

import tempfile
from pathlib import Path

import typst
import verovio

from model.score.plain_svg import plain_svg

# A4 with margins of 15 mm and staves of 7.2 mm, in Verovio's tenths of a millimetre.
PAGE = {
    "pageWidth": 2100,
    "pageHeight": 2970,
    "pageMarginTop": 150,
    "pageMarginBottom": 150,
    "pageMarginLeft": 150,
    "pageMarginRight": 150,
    "scale": 40,
    "svgViewBox": True,
    "smuflTextFont": "none",
    "header": "auto",
    "footer": "none",
    "spacingSystem": 8,
    "xmlIdSeed": 1,  # equal scores are equal files
}
BINDING = """#set page(width: 210mm, height: 297mm, margin: 0mm)
#for i in range({pages}) {{ image("page-" + str(i) + ".svg", width: 210mm, height: 297mm) }}
"""


class EngravingError(Exception):
    """Verovio cannot read the score: our bug."""


def engrave(musicxml: bytes) -> list[bytes]:
    """Draw a score.

    Parameters
    ----------
    musicxml : bytes
        A document of `model.score.musicxml`.

    Returns
    -------
    list of bytes
        An SVG document for each page. Bars and notes have the ids of the MusicXML.

    Raises
    ------
    EngravingError
        If it cannot be read.
    """
    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit()
    toolkit.setOptions(PAGE)
    if not toolkit.loadData(musicxml.decode()):
        raise EngravingError(f"the score cannot be engraved: {toolkit.getLog()}")
    return [plain_svg(toolkit.renderToSVG(page)) for page in range(1, toolkit.getPageCount() + 1)]


def to_pdf(pages: list[bytes]) -> bytes:
    """Bind SVG pages of A4 size."""
    with tempfile.TemporaryDirectory(prefix="score-") as name:
        folder = Path(name)
        for i, page in enumerate(pages):
            (folder / f"page-{i}.svg").write_bytes(page)
        main = folder / "score.typ"
        main.write_text(BINDING.format(pages=len(pages)), encoding="utf-8")
        pdf = typst.compile(main, root=folder, format="pdf", timestamp=0)
    if not isinstance(pdf, bytes):
        raise EngravingError("the score cannot be bound as PDF")
    return pdf

"""When each bar and each note of a score sounds, and on which page it stands: what a page needs to follow the music."""

import re
from fractions import Fraction
from typing import Any

from model.midi import MAX_TEMPO, MIN_TEMPO
from model.notation.types import Rhythm
from model.score.layout import Score
from model.score.musicxml import bar_id, note_id

SCHEMA_VERSION = 1
BAR_ID = re.compile(rb'id="(bar\d+)"')


def describe(score: Score, rhythm: Rhythm, pages: list[bytes]) -> dict[str, Any]:
    """What is known of a score, as it is served in JSON.

    Parameters
    ----------
    score : Score
        Laid out from ``rhythm``.
    rhythm : Rhythm
        Gives the times.
    pages : list of bytes
        The engraved pages, from which it is read where a bar stands.

    Returns
    -------
    dict
        ``bars`` and ``notes`` have the ids of the engraved pages; times are seconds, 0 or more. ``tempo`` is the
        nearest that `NotationOptions` takes, so that all it says can be asked for again.
    """
    page_of = {name.decode(): number for number, page in enumerate(pages, start=1) for name in BAR_ID.findall(page)}

    def seconds(quarters: Fraction) -> float:
        """Of a position. An upbeat's bar may begin before the recording does, where nobody can go."""
        return round(max(0.0, rhythm.time_map.to_seconds(quarters)), 3)

    return {
        "schema_version": SCHEMA_VERSION,
        "tempo": round(min(max(score.tempo, MIN_TEMPO), MAX_TEMPO), 2),
        "time_signature": f"{score.metre.numerator}/{score.metre.denominator}",
        "key": score.key.name,
        "first_downbeat": seconds(Fraction(0)),
        "n_pages": len(pages),
        "parts": [{"name": part.name, "program": part.program} for part in score.parts],
        "bars": [
            {
                "id": bar_id(place),
                "number": bar.number,
                "page": page_of[bar_id(place)],
                "start": seconds(bar.start),
                "end": seconds(bar.end),
            }
            for place, bar in enumerate(score.bars)
        ],
        "notes": [[note_id(note.index), seconds(note.onset), seconds(note.end)] for note in rhythm.notes],
    }

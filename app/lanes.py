"""Which queues there are, by their names: for those, too, who need neither the job table nor Celery.

Recordings have a lane each for the usual and, where a length is set, for long ones. Decoding stored activations again
and saving edits (under a second) have a queue of their own, so that they never wait behind a recording; and scores have
one, as that of a long piece takes ten seconds.
"""

from enum import StrEnum


class Lane(StrEnum):
    """A queue of transcriptions."""

    USUAL = "transcribe"
    LONG = "transcribe-long"


DECODE = "decode"
SCORE = "score"


def lanes_above(long_seconds: float | None) -> tuple[Lane, ...]:
    """The lanes that are worked on where recordings above this length are long; without one there are no long ones."""
    return (Lane.USUAL,) if long_seconds is None else (Lane.USUAL, Lane.LONG)

"""What tells one prepared set from another of the same name and size."""

import hashlib
import json
from collections.abc import Iterable

from training.prepared import Recording


def digest_of(recordings: Iterable[Recording]) -> str:
    """SHA-256 over the recordings' ids, audio and number of notes, in any order, as 64 hexadecimal digits."""
    known = sorted((one.id, one.sha256, one.n_notes) for one in recordings)
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()

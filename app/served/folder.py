"""The checkpoints that training publishes, looked at again whenever something has changed there."""

import logging
import math
import time
from pathlib import Path

from app.catalogue import Catalogue, CatalogueError, load_catalogue, require_file, source_of

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0  # a copied folder may have its manifest before the file that it names

Signature = tuple[int, int, int]


class CheckpointFolder:
    """What `AMT_CHECKPOINT` names. A change that makes no sense is said in the log, and what was there stays served.

    Raises
    ------
    CatalogueError
        If there is nothing to begin with.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self._seen = _signature(checkpoint)
        self._look_again_at = math.inf
        self._catalogue = load_catalogue(checkpoint)

    def current(self) -> Catalogue:
        """The checkpoints as of now."""
        seen = _signature(self.checkpoint)
        if seen != self._seen or time.monotonic() >= self._look_again_at:
            self._seen = seen
            self._look_again()
        return self._catalogue

    def _look_again(self) -> None:
        known = {entry.sha256 for entry in self._catalogue.models}
        try:
            fresh = load_catalogue(self.checkpoint)
            for entry in fresh.models:
                if entry.sha256 not in known:
                    require_file(self.checkpoint, entry)
        except CatalogueError as error:
            log.error("what was published is not served: %s", error)
            self._look_again_at = time.monotonic() + PATIENCE_SECONDS
            return
        self._look_again_at = math.inf
        self._catalogue = fresh
        log.info("serving %s", ", ".join(f"{entry.name} {entry.sha256[:8]}" for entry in fresh.models))


def _signature(checkpoint: Path) -> Signature | None:
    """What changes when the file is replaced or rewritten."""
    try:
        found = source_of(checkpoint).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

"""Telling a busy child that its worker is stopping.

Celery lets a running task finish at SIGTERM, which may take hours here. The parent sets one byte of memory that it
shares with its children, and a child looks at it between windows.
"""

import mmap


class StopFlag:
    """A flag that is shared with every process forked after it was made."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Ask all to stop."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._byte[0] == 1

"""What is left of a job once it was heard, done beside the next one, which needs the network meanwhile."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

log = logging.getLogger(__name__)


class Finisher:
    """Does one thing at a time, in a thread of its own, with the context of the caller."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="finish")
        self._last: Future[None] | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Have something done; waits until what was given before is done."""
        self.wait()
        self._last = self._thread.submit(copy_context().run, _do, work)

    def wait(self) -> None:
        """Wait until nothing is left."""
        if self._last is not None:
            self._last.result()
            self._last = None


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # who waits has other things to do, and no part in this
        log.exception("a job cannot be finished; its lease runs out")

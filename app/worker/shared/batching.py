"""Windows of several recordings, gathered into one pass of the network."""

import logging
import queue
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=Hashable)
Heard = TypeVar("Heard")


@dataclass(frozen=True, eq=False)
class Asked(Generic[Network, Heard]):
    """A window that waits, and the network that it is for."""

    network: Network
    samples: NDArray[np.float32]
    cents: int
    answer: "Future[Heard]" = field(default_factory=Future)

    @property
    def kind(self) -> tuple[Network, int]:
        """Windows of one kind go together."""
        return self.network, len(self.samples)


class Batcher(Generic[Network, Heard]):
    """Gathers windows and hears them.

    Parameters
    ----------
    hear : callable
        Network, windows, shape (windows, samples), and how many cents sharp each is, to what was heard in each.
    most : int
        Windows in one pass.

    Notes
    -----
    Nothing waits for a pass to become full: while one runs the next windows gather by themselves, so that a busy GPU
    gets full passes and a lonely recording loses no time.
    """

    def __init__(self, hear: Callable[[Network, NDArray[np.float32], list[int]], list[Heard]], *, most: int) -> None:
        self._hear = hear
        self._most = most
        self._coming: queue.SimpleQueue[Asked[Network, Heard]] = queue.SimpleQueue()
        self._waiting: list[Asked[Network, Heard]] = []

    def ask(self, network: Network, samples: NDArray[np.float32], cents: int) -> "Future[Heard]":
        """Have a window, shape (samples,), heard. May be called from any thread."""
        asked = Asked[Network, Heard](network, samples, cents)
        self._coming.put(asked)
        return asked.answer

    def run(self) -> None:
        """Hear what is asked for, for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for a window, and hear it with all that may go with it."""
        if not self._waiting:
            self._waiting.append(self._coming.get())
        while not self._coming.empty():
            self._waiting.append(self._coming.get())
        kind = self._waiting[0].kind
        together = [asked for asked in self._waiting if asked.kind == kind][: self._most]
        self._waiting = [asked for asked in self._waiting if asked not in together]
        self._answer(together)

    def _answer(self, together: "list[Asked[Network, Heard]]") -> None:
        """One pass. Where it fails, each is heard alone, so that only the one that is to blame fails."""
        try:
            samples = np.stack([asked.samples for asked in together])
            heard = self._hear(together[0].network, samples, [asked.cents for asked in together])
        except Exception as error:
            if len(together) == 1:
                together[0].answer.set_exception(error)
                return
            log.exception("%d windows could not be heard together", len(together))
            for asked in together:
                self._answer([asked])
            return
        for asked, one in zip(together, heard, strict=True):
            asked.answer.set_result(one)

"""Being asked to stop."""

import signal
import time
from types import FrameType

TICK = 0.1


class StopSignals:
    """How often this process was asked to stop, by SIGINT or SIGTERM, since `listen`.

    The main thread runs the handler between two of its own steps, wherever it is. So the handler takes no lock, which
    the main thread may hold at that moment: `threading.Event.set` within `Event.wait` waits for itself for ever.
    """

    def __init__(self) -> None:
        self.received = 0

    def listen(self) -> None:
        """Count from now on, instead of what a signal did before. For the main thread only."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._count)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.received += 1

    def wait(self, seconds: float) -> bool:
        """Wait until asked, `seconds` at most; gives whether asked. An answer may take a tenth of a second."""
        deadline = time.monotonic() + seconds
        while not self.received and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(TICK, left))
        return self.received > 0

"""The process that hears for others: ``python -m app.worker.shared.server SOCKET DEVICE THREADS MOST``.

Whoever connects names a checkpoint, and is told its sampling rate, hop and window; then sends windows, one at a time,
each with its tuning, and gets back what was heard. Each connection has a thread, and one more runs the network
(`Batcher`).
"""

import contextlib
import json
import logging
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.allocator import keep_one_arena
from app.worker.shared.batching import Batcher
from model.errors import ModelError
from model.listening import Heard
from model.transcriber import Transcriber

log = logging.getLogger(__name__)

Windows = Batcher[Transcriber, Heard]


class Networks:
    """Checkpoints, each loaded once. The last few are kept: a network that was replaced is asked for no more."""

    KEPT = 4

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: dict[str, Transcriber] = {}
        self._lock = threading.Lock()

    def load(self, path: Path, sha256: str) -> Transcriber:
        """The network of a checkpoint."""
        with self._lock:
            transcriber = self._loaded.pop(sha256, None)
            if transcriber is None:
                transcriber = Transcriber.load(path, sha256=sha256, device=self._device)
            self._loaded[sha256] = transcriber
            for oldest in list(self._loaded)[: -self.KEPT]:
                del self._loaded[oldest]
            return transcriber


def converse(connection: Connection, networks: Networks, batcher: Windows) -> None:
    """Serve one connection to its end."""
    with connection, contextlib.suppress(EOFError, OSError):  # the other side is gone
        network = introduce(connection, networks)
        while network is not None:
            cents = json.loads(connection.recv_bytes())["cents"]
            samples = np.frombuffer(connection.recv_bytes(), dtype=np.float32)
            try:
                heard = batcher.ask(network, samples, cents).result()
            except Exception as error:
                log.exception("a window could not be heard")
                reply(connection, error=str(error))
                continue
            reply(connection, instruments=heard.instruments is not None)
            for values in heard:
                if values is not None:
                    connection.send_bytes(values.tobytes())


def introduce(connection: Connection, networks: Networks) -> Transcriber | None:
    """Load what is asked for, and say how it wants its windows, or why there is none."""
    asked = json.loads(connection.recv_bytes())
    try:
        network = networks.load(Path(asked["checkpoint"]), asked["sha256"])
    except ModelError as error:
        reply(connection, error=error.message)
        return None
    reply(
        connection,
        sr=network.sr,
        hop_length=network.hop_length,
        window=asdict(network.window),
        retunes=network.retunes,
    )
    return network


def reply(connection: Connection, **document: Any) -> None:
    """Send a JSON document."""
    connection.send_bytes(json.dumps(document).encode())


def serve(socket: Path, networks: Networks, batcher: Windows) -> None:
    """Take connections, for ever."""
    with Listener(str(socket), family="AF_UNIX") as listener:
        while True:
            connection = listener.accept()
            threading.Thread(target=converse, args=(connection, networks, batcher), daemon=True).start()


def run(batcher: Windows, threads: int) -> None:
    """Hear, for ever. PyTorch's number of threads belongs to the thread that sets it."""
    torch.set_num_threads(threads)
    batcher.run()


def main(socket: str, device: str, threads: str, most: str) -> None:
    """Serve until killed."""
    keep_one_arena()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    batcher = Windows(Transcriber.hear_together, most=int(most))
    threading.Thread(target=run, args=(batcher, int(threads)), daemon=True).start()
    serve(Path(socket), Networks(device), batcher)


if __name__ == "__main__":
    main(*sys.argv[1:])

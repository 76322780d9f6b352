"""A bidirectional LSTM whose two directions run at the same time, each on a thread of its own.

PyTorch runs one direction after the other and splits each step's small matrix product among all threads, which then
wait for each other at every step. A direction to a thread takes about half the time, and half the work of the
processor. Each goes through the recording in pieces that fit the processor's caches, and carries its state on.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor, nn

PIECE_FRAMES = 500
LEAST_ROWS = 20  # fewer sequences a thread would leave its vector units idle


class BothWays(nn.Module):
    """The same function as a bidirectional LSTM over (time, batch, channels), for inference alone.

    Parameters
    ----------
    lstm : nn.LSTM
        Bidirectional, of one layer; it is copied.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if not lstm.bidirectional or lstm.num_layers != 1:
            raise ValueError(f"a bidirectional LSTM of one layer is needed, got {lstm}")
        self.whole = nn.LSTM(lstm.input_size, lstm.hidden_size, bidirectional=True)
        self.whole.load_state_dict(lstm.state_dict())
        self.forwards, self.backwards = (nn.LSTM(lstm.input_size, lstm.hidden_size) for _ in range(2))
        self.forwards.load_state_dict(_direction(lstm, ""))
        self.backwards.load_state_dict(_direction(lstm, "_reverse"))
        self.to(next(lstm.parameters()).device).eval()
        self._threads = _Threads()

    def forward(self, sequences: Tensor) -> Tensor:
        """Run both directions: (time, batch, channels) -> (time, batch, 2 * hidden)."""
        n_threads = torch.get_num_threads()
        bfloat16 = torch.is_autocast_enabled("cpu")
        if bfloat16:  # autocast leaves an LSTM's input as it is, and not every processor takes the mixture
            sequences = sequences.bfloat16()
        if sequences.device.type != "cpu" or n_threads < 2:
            heard: Tensor = self.whole(sequences)[0]
            return heard
        n_frames, batch, _ = sequences.shape
        hidden = self.whole.hidden_size
        groups = max(1, min(n_threads // 2, batch // LEAST_ROWS))
        output = torch.empty(n_frames, batch, 2 * hidden, dtype=sequences.dtype)
        work: list[Future[None]] = []
        for rows, target in zip(sequences.chunk(groups, dim=1), output.chunk(groups, dim=1), strict=True):
            into = target[..., :hidden], target[..., hidden:]
            pool = self._threads.pool(2 * groups)
            work.append(pool.submit(_run, self.forwards, rows, into[0], backwards=False, bfloat16=bfloat16))
            work.append(pool.submit(_run, self.backwards, rows, into[1], backwards=True, bfloat16=bfloat16))
        for part in work:
            part.result()
        return output


def _direction(lstm: nn.LSTM, suffix: str) -> dict[str, Tensor]:
    """One direction's parameters under the names of an LSTM of one direction."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return {name: getattr(lstm, name + suffix) for name in names}


@torch.inference_mode()
def _run(lstm: nn.LSTM, sequences: Tensor, target: Tensor, *, backwards: bool, bfloat16: bool) -> None:
    """One direction of some sequences, into its part of the output. PyTorch's modes are each thread's own."""
    starts = range(0, len(sequences), PIECE_FRAMES)
    state = None
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for start in reversed(starts) if backwards else starts:
            piece = sequences[start : start + PIECE_FRAMES]
            heard, state = lstm(piece.flip(0) if backwards else piece, state)
            target[start : start + PIECE_FRAMES] = heard.flip(0) if backwards else heard


class _Threads:
    """Threads in which PyTorch computes with one thread, kept for the next window."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._size = 0

    def pool(self, size: int) -> ThreadPoolExecutor:
        """At least ``size`` of them."""
        if self._pool is None or size > self._size:
            self._pool, self._size = _single_threads(size), size
        return self._pool


def _single_threads(size: int) -> ThreadPoolExecutor:
    """A pool whose threads compute alone.

    The number of threads belongs to the thread that sets it, but a thread takes over what was set last, wherever, when
    it is first asked or computes. So all are started and asked here, and then the caller's own number is set once more.
    """
    n_threads = torch.get_num_threads()
    started = threading.Barrier(size + 1)
    pool = ThreadPoolExecutor(size, thread_name_prefix="lstm")
    for _ in range(size):
        pool.submit(_compute_alone, started)
    started.wait()
    torch.set_num_threads(n_threads)
    return pool


def _compute_alone(started: threading.Barrier) -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()
    started.wait()

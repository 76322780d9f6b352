"""How this process keeps memory that it has freed.

The network's buffers are as large for every window, and freed by other threads than those that asked for them. Left
to itself, glibc's allocator keeps an arena for each thread and moves the size from which memory is mapped for itself
upwards: what is free in one arena does not serve the next, and a worker grows with every window of a long recording.
"""

import ctypes
import os
import sys

# Parameters of mallopt, from glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

MB = 1 << 20
# A buffer comes out of the arena unless it is larger: one that is mapped for itself is given back when it is freed, and
# the system clears each of its pages again for the next window (`benchmarks.threads` shows what that costs). Older
# versions of glibc accept no more than the second.
MAPPED_FROM = (1024 * MB, 32 * MB)
# So much may lie free at the arena's end before it goes back to the system: the buffers of a window.
KEPT_FREE = 256 * MB


def keep_one_arena() -> None:
    """Have all threads of this process share one arena. To be called before they are started.

    Nothing is done where the C library is not glibc, or the operator has chosen by `MALLOC_ARENA_MAX`.
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        any(mallopt(M_MMAP_THRESHOLD, size) for size in MAPPED_FROM)  # the first that it accepts
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE)

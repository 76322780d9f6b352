"""Freed memory is kept in one place, whichever thread freed it."""

import subprocess
import sys

import pytest

# Eight threads at once ask the C library for memory; then it tells of its arenas.
ARENAS = """
import ctypes, sys, threading
from app.allocator import keep_one_arena
keep_one_arena()

libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(8)

def ask():
    together.wait()
    blocks = [bytes(10_000) for _ in range(100)]
    together.wait()

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
@pytest.mark.parametrize(("chosen", "arenas"), [({}, 1), ({"MALLOC_ARENA_MAX": "3"}, 3)])
def test_threads_share_one_arena_unless_the_operator_chose(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], arenas: int
) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    said = subprocess.run([sys.executable, "-c", ARENAS], capture_output=True, text=True, check=True).stdout
    assert said.count("<heap nr=") == arenas

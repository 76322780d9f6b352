"""What a decoder may do: compute, read what is open already, write what is open already, and end.

Two fences stand one behind the other. Limits of the operating system (rlimits) bound memory, time, files and processes.
A filter of system calls (seccomp, through libseccomp) refuses everything that is not listed, so that a decoder that is
taken over by its input can neither open a file, nor reach a network, nor start or signal a process. Where a machine
has no seccomp the limits stand alone, and `missing` says so.
"""

import errno
import os
import resource
import sys
from collections.abc import Callable
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# Reading and writing what is open, waiting for it, memory, clocks, the interpreter's signals, ending. No thread can be
# started: FFmpeg and NumPy are told to do without. Names that an architecture does not know are left out.
SYSTEM_CALLS = (
    *("read", "readv", "lseek", "_llseek", "write", "writev", "close", "poll", "ppoll"),
    *("brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise"),
    *("clock_gettime", "clock_gettime64", "gettimeofday", "getrandom", "futex", "sched_yield"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall", "getpid"),
    *("exit", "exit_group"),
)
MOST_OPEN_FILES = 16


@dataclass(frozen=True)
class Sandbox:
    """Bounds of one decoder.

    Parameters
    ----------
    memory_bytes : int
        Address space that it may take beyond what it starts with.
    cpu_seconds : int
        Time on the processor.
    """

    memory_bytes: int
    cpu_seconds: int


def missing() -> str | None:
    """What this machine cannot do, in words for its operator; None where both fences stand."""
    if not sys.platform.startswith("linux"):
        return "system calls can only be filtered on Linux: decoders are bounded in memory and time only"
    if find_library("seccomp") is None or find_spec("pyseccomp") is None:
        return "libseccomp is not here: decoders are bounded in memory and time only; install the package libseccomp2"
    if not _filter_holds():
        return "this system lets no filter of system calls be set: decoders are bounded in memory and time only"
    return None


def prepare() -> Callable[[Sandbox], None]:
    """Load what the fences need; gives the function by which a process puts itself behind them, for good."""
    load_filter = _prepare_filter() if missing() is None else None

    def enter(sandbox: Sandbox) -> None:
        _limit_resources(sandbox)
        if load_filter is not None:
            load_filter()

    return enter


def _prepare_filter() -> Callable[[], None]:
    import pyseccomp

    allowed = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in SYSTEM_CALLS:
        try:
            allowed.add_rule(pyseccomp.ALLOW, name)
        except OSError:  # not a system call of this architecture
            continue
    load: Callable[[], None] = allowed.load
    return load


def _filter_holds() -> bool:
    """Whether a process that sets the filter is held by it, tried by one that does nothing else."""
    child = os.fork()
    if not child:
        try:
            _prepare_filter()()
            os.open("/", os.O_RDONLY)
        except PermissionError as error:
            os._exit(0 if error.filename == "/" else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _limit_resources(sandbox: Sandbox) -> None:
    if (now := _address_space()) is not None:
        _limit(resource.RLIMIT_AS, now + sandbox.memory_bytes)
    _limit(resource.RLIMIT_CPU, sandbox.cpu_seconds, kill_after=1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, MOST_OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, 0)


def _limit(which: int, soft: int, *, kill_after: int = 0) -> None:
    """Set a limit that cannot be raised again, or a lower one that stands already."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        soft, kill_after = min(soft, hard), min(kill_after, max(0, hard - soft))
    resource.setrlimit(which, (soft, soft + kill_after))


def _address_space() -> int | None:
    """Bytes of address space that this process has now; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")

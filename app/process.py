"""What the operating system is asked about processes.

Run as a program (``python process.py PARENT COMMAND ...``) it becomes COMMAND, tied to the life of PARENT. It imports
nothing but the standard library, so that this costs a few milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have this process killed when `parent` dies, however that happens. Only Linux can; elsewhere nothing is done."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def tied_command(command: list[str]) -> list[str]:
    """`command` as a child of this process that does not outlive it."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the command comes from our own supervisor

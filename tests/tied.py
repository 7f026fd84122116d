"""Ties a process to the one that starts it: when the starter ends, kill -9 too, the kernel kills the process.

    python -I -S tied.py STARTER COMMAND…      (STARTER: the number of the starting process; it becomes COMMAND)

The process keeps its number. Only it is tied, not its children. Start it in the main thread: the kernel watches the
thread that started it. Works on Linux; elsewhere the process is not tied, and its starter must stop it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def tied(command: Sequence[str]) -> list[str]:
    """Return the command that becomes `command`, tied to this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(starter: int, command: list[str]) -> None:
    """Become the command, unless the starter is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != starter:
            sys.exit("the process that started this one has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

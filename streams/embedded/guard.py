"""The program between a command and a server that the command started: it ends the server when the command ends.

It runs with the standard library only: `python -I -S guard.py ORDER`. ORDER is JSON:

    {"command": [...], "log": path, "folder": path, "remove": path or null, "grace_s": seconds}

Its standard input is a pipe that only the command holds open. When the command ends in any way (kill -9, too), the pipe
reads empty. Then the guard ends the server's whole process group: it kills the group at once and removes the folder
`remove`, if one is named; otherwise it gives the server `grace_s` to finish. Pipes work so on Linux and macOS; on Linux
the kernel also ends the server when its guard ends.

First the guard writes `pid N`, or `failed: why`. Then the command writes the name of a signal in a line (TERM, KILL,
STOP, CONT), and the guard answers `ok` when it has sent the signal. Only a parent can be sure which process a number
means, so all signals go through the guard. When the server ends, the guard ends with the server's status, and no folder
is removed.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_SIGNALS = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "STOP": signal.SIGSTOP, "CONT": signal.SIGCONT}


def _end_with_guard() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(text: str) -> None:
    # a command that no longer listens is noticed on the other pipe
    with contextlib.suppress(OSError):
        os.write(1, text.encode() + b"\n")


def _start(order: dict[str, Any]) -> "subprocess.Popen[bytes]":
    with open(order["log"], "ab") as log:
        return subprocess.Popen(
            order["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=order["folder"],
            start_new_session=True,
            preexec_fn=_end_with_guard,  # safe: this program has one thread
        )


def _send(server: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _end(server: "subprocess.Popen[bytes]", grace_s: float) -> None:
    if grace_s > 0:
        _send(server, signal.SIGCONT)
        _send(server, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    if server.poll() is None:
        _send(server, signal.SIGKILL)
        server.wait()


def _obey(server: "subprocess.Popen[bytes]", woken: int) -> bool:
    """Send the signals that the command asks for. Return True when the server ends, False when the command ends."""
    waiting = b""
    while server.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 64)
        if 0 not in ready:
            continue
        read = os.read(0, 4096)
        if not read:
            return False
        *lines, waiting = (waiting + read).split(b"\n")
        for line in lines:
            _send(server, _SIGNALS[line.decode()])
            _say("ok")
    return True


def main() -> int:
    """Start the server, obey the command, end the server. Return its exit status (128 + n for signal n)."""
    order = json.loads(sys.argv[1])
    # before the server starts: its end must be noticed whenever it comes
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        server = _start(order)
    except OSError as error:
        _say(f"failed: {error}")
        return 127
    _say(f"pid {server.pid}")
    if not _obey(server, woken):
        _end(server, 0 if order["remove"] else order["grace_s"])
        if order["remove"]:
            shutil.rmtree(order["remove"], ignore_errors=True)
    status = server.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())

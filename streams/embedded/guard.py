"""Stand between a command and a server that it started, so that the server ends with the command.

Runs as a program of its own, with the standard library only: `python -I -S guard.py ORDER`, ORDER being JSON:

    {"command": [...], "log": path, "folder": path, "remove": path or null, "grace_s": seconds}

Its standard input is a pipe that nobody but the command holds open. When the command ends, however it does (kill -9
too), the pipe reads empty: then the server's whole process group is killed, at once if `remove` names a folder, which
goes as well, else after `grace_s` to finish cleanly. A pipe works so on Linux and macOS alike; on Linux the kernel
also ends the server with its guard.

The command writes the name of a signal a line (TERM, KILL, STOP, CONT) and reads a line back: `ok` once it was sent.
Signals go through here because only a parent can be sure whom a process number means. First of all the guard writes
`pid N`, or `failed: why`. When the server ends the guard ends too, with its status; the folder is kept then.
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
    # whoever does not listen any more is about to be noticed on the other pipe
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
    """Carry out what comes in until the server ends (True) or the command does (False)."""
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
    """Start the server, obey, and see to its end. Returns the server's exit status (128 + n for signal n)."""
    order = json.loads(sys.argv[1])
    # set before the server starts, so that no end of it goes unnoticed
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

"""Processes of the product, forked from a process that has imported everything: a start costs little processor time.

A worker of a fault run is still a process of its own, with its own memory, sockets and signals. `python -m
tests.faults.zygote` reads one JSON order a line from its standard input and answers each with a line:

    {"module": "streams.cli", "arguments": [...], "environment": {...}, "log": path}  → the process number
    {"poll": number}                                                                  → its exit status, or null

It ends when its standard input does, and every process that it forked ends with it.
"""

import contextlib
import ctypes
import importlib
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
WANTED: Final = (
    "uvloop",
    "streams.cli.main",
    "streams.operations.apply",
    "streams.operations.provision",
    "streams.cli.worker",
    "streams.worker.main",
)
"""What a worker and the commands of a run import."""


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Forked:
    """One forked process; as much of `subprocess.Popen` as the runs use."""

    def __init__(self, zygote: "Zygote", pid: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._zygote.ask({"poll": self.pid})
        return self.returncode

    def wait(self, limit_s: float = 600) -> int:
        """Wait for its end."""
        end_s = time.monotonic() + limit_s
        while (status := self.poll()) is None:
            if time.monotonic() > end_s:
                raise TimeoutError(f"process {self.pid} did not end within {limit_s:.0f} s")
            time.sleep(0.03)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it is there: nobody else has its number before `poll` has told its end."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process that forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def ask(self, order: Mapping[str, Any]) -> Any:
        """Send an order; the answer."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
        """Fork `python -m module arguments …`, both its outputs appended to `log`."""
        order = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "log": str(log),
        }
        return Forked(self, int(self.ask(order)))

    def close(self) -> None:
        """End it and all its processes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _become(order: Mapping[str, Any], answers: int) -> None:
    """Be the process of an order; never returns."""
    status = 1
    try:
        _end_with_parent()
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(answers)
        os.environ.clear()
        os.environ.update(order["environment"])
        random.seed()
        sys.argv = [order["module"], *order["arguments"]]
        runpy.run_module(order["module"], run_name="__main__", alter_sys=False)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Import everything, then obey."""
    for name in (*WANTED, "tests.faults.worker"):
        importlib.import_module(name)
    # answers go out on a descriptor of their own: nothing that prints may come between
    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        if "poll" in order:
            try:
                pid, status = os.waitpid(order["poll"], os.WNOHANG)
            except ChildProcessError:
                pid, status = order["poll"], 0
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            sys.stdout.flush()
            sys.stderr.flush()
            answer = os.fork()
            if answer == 0:
                _become(order, answers)
        os.write(answers, (json.dumps(answer) + "\n").encode())
    # every forked process dies with this one


if __name__ == "__main__":
    main()

"""A server process under guard: start, signals, end. Common to Kafka and Valkey."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from streams.embedded import guard
from streams.embedded.errors import EmbeddedError

LOOPBACK: Final = "127.0.0.1"
_FREE_BYTES_MIN: Final = 300 * 1024 * 1024
"""Kafka preallocates its indexes (about 60 MB for a few dozen partitions) and stops at a full disk."""
_TRIES: Final = 3
"""Another process may take a free port before the server does."""


def free_port() -> int:
    """Return a TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class Guarded:
    """One running process behind `guard`: it ends when this Python process ends, in whatever way."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path,
        remove: Path | None = None,
        env: Mapping[str, str] | None = None,
        grace_s: float = 5,
    ) -> None:
        order = {
            "command": list(command),
            "log": str(log),
            "folder": str(folder),
            "remove": None if remove is None else str(remove),
            "grace_s": grace_s,
        }
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=None if env is None else dict(env),
            # Ctrl-C in the terminal goes to the command only, which ends its servers in order
            start_new_session=True,
        )
        word, _, rest = self._answer().partition(" ")
        if word != "pid":
            self.close()
            raise EmbeddedError(f"cannot start {command[0]}: {rest or 'no answer'}")
        self.pid = int(rest)

    def _answer(self) -> str:
        assert self._guard.stdout is not None
        return self._guard.stdout.readline().decode().strip()

    def running(self) -> bool:
        """Return whether the process exists; a paused one does."""
        return self._guard.poll() is None

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._guard.poll()

    def signal(self, name: str) -> None:
        """Send TERM, KILL, STOP or CONT; return when it was sent, or the process has ended."""
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(name.encode() + b"\n")
            self._answer()

    def end(self, grace_s: float) -> None:
        """Send TERM, and KILL after `grace_s` (0: KILL at once). Block until the process is gone."""
        if self.running() and grace_s > 0:
            self.signal("CONT")
            self.signal("TERM")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(grace_s)
        if self.running():
            self.signal("KILL")
        self._guard.wait()
        self.close()

    def close(self) -> None:
        """Close the pipes to the guard; it ends the process if that still exists."""
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()
        self._guard.wait()


class Server(ABC):
    """A server on loopback with a folder of its own. Every method blocks. Not for two threads at once.

    States: new → `start` → running → `stop` or `kill` → ended → `restart` (same folder, same port) → running …
    `remove`: a temporary folder that the guard removes if this Python process is killed; otherwise the caller does.
    """

    name: str
    started: bytes
    """The text in its log when it listens. Another server may have the port, so asking the port is not enough."""
    start_timeout_s: float = 60
    stop_grace_s: float = 10

    def __init__(self, *, remove: Path | None = None) -> None:
        self._remove = remove
        self._process: Guarded | None = None
        self._folder: Path | None = None
        self._port: int | None = None

    @property
    def folder(self) -> Path:
        """The server's folder: its data, settings and log."""
        assert self._folder is not None, f"{self.name} was never started"
        return self._folder

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        assert self._port is not None, f"{self.name} was never started"
        return self._port

    @property
    def pid(self) -> int:
        """The process number of the server itself, for measurements."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def log(self) -> Path:
        """The server's own log, over all restarts."""
        return self.folder / "server.log"

    def running(self) -> bool:
        """Return whether the process exists; a paused one does."""
        return self._process is not None and self._process.running()

    def start(self, folder: Path, port: int | None = None) -> None:
        """Start on `port`, or on a free one; return when the server answers. It writes into `folder` only.

        Raises EmbeddedError, with the end of the server's log.
        """
        assert not self.running(), f"{self.name} is running"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise EmbeddedError(f"{self.name} cannot have the folder {folder}: {error.strerror}") from error
        if free < _FREE_BYTES_MIN:
            raise EmbeddedError(
                f"{self.name} needs {_FREE_BYTES_MIN >> 20} MB of disk and {folder} has {free >> 20} MB left; "
                f"free some, or name another place in TMPDIR"
            )
        self._folder = folder.resolve()
        for attempt in range(1, _TRIES + 1):
            self._port = port or free_port()
            try:
                self._launch()
            except EmbeddedError as error:
                if port is not None or attempt == _TRIES or "in use" not in str(error):
                    raise
            else:
                return

    def _launch(self) -> None:
        read_from = self.log.stat().st_size if self.log.exists() else 0
        self._process = Guarded(
            self._command(), self.log, self.folder, self._remove, self._environment(), self.stop_grace_s
        )
        try:
            deadline = time.monotonic() + self.start_timeout_s
            while not (self.started in self._logged(read_from) and self._answers()):
                if not self._process.running():
                    raise EmbeddedError(f"{self.name} ended with {self._process.status}:\n{self._tail(read_from)}")
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{self.name} did not answer within {self.start_timeout_s:g} s:\n{self._tail(read_from)}"
                    )
                time.sleep(0.02)
        except BaseException:
            self._let_go(0)
            raise

    def _logged(self, read_from: int) -> bytes:
        with self.log.open("rb") as file:
            file.seek(read_from)
            return file.read()

    def _tail(self, read_from: int) -> str:
        return "\n".join(self._logged(read_from).decode(errors="replace").splitlines()[-15:])

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1):
            return True
        return False

    def _let_go(self, grace_s: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(grace_s)

    def stop(self) -> None:
        """Stop it in order: TERM, and KILL after `stop_grace_s`. Do nothing if it is not running."""
        self._let_go(self.stop_grace_s)

    def kill(self) -> None:
        """Kill it (KILL): it loses what it has not written, as in a crash."""
        self._let_go(0)

    def pause(self) -> None:
        """Pause it (STOP): until `resume` its connections stay open, and it answers nothing."""
        assert self._process is not None, f"{self.name} is not running"
        self._process.signal("STOP")

    def resume(self) -> None:
        """Let it go on (CONT)."""
        assert self._process is not None, f"{self.name} is not running"
        self._process.signal("CONT")

    def restart(self) -> None:
        """Start it again with the same folder and port; stop it first if it runs."""
        self.stop()
        self._launch()

    def _environment(self) -> Mapping[str, str]:
        return os.environ

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

"""Run `segue` as a process, in a deployment of its own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rules.ground.instants import format_instant
from streams.settings import Deployment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "streams" / "example" / "catalogue"
WIDTH = "200"
"""Width of every command's tables, so that no expected text is broken over lines."""
LIMIT_S = 120
"""Time limit of one command, on a machine that is busy with others."""


@dataclass(frozen=True)
class Ended:
    """The result of a command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def logged(self) -> list[dict[str, str]]:
        """Standard error as JSON lines."""
        return [json.loads(line) for line in self.err.splitlines()]


@dataclass
class Segue:
    """The command line with the environment of one deployment."""

    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: object, stdin: str = "", **environment: object) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            self._command(arguments),
            cwd=ROOT,
            env=self._environment(environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: object, stdin: str = "", **environment: object) -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, stdin=stdin, **environment)
        assert ended.status == 0, ended.err
        return ended

    def on_terminal(self, *arguments: object, columns: int = 80) -> list[str]:
        """Run a command that must succeed, on a terminal. Returns the lines shown there, without colours."""
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, columns))
        environment = {**self._environment({}), "TERM": "xterm"}
        environment.pop("COLUMNS", None)
        process = subprocess.Popen(
            self._command(arguments), cwd=ROOT, env=environment, stdin=its, stdout=its, stderr=subprocess.DEVNULL
        )
        os.close(its)
        shown = b""
        with suppress(OSError):  # EIO: the last writer has closed the terminal
            while data := os.read(ours, 1 << 16):
                shown += data
        os.close(ours)
        assert process.wait(LIMIT_S) == 0
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).splitlines()]

    @contextmanager
    def started(self, *arguments: object, **environment: object) -> Iterator["subprocess.Popen[str]"]:
        """Start a command. It is killed at the end of the context if it still runs."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=ROOT,
            env=self._environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def fed(self, *arguments: object) -> Iterator[IO[str]]:
        """Start a command that reads its standard input, and yield that; it must succeed once this is shut."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=ROOT,
            env=self._environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdin is not None
        try:
            with process.stdin as to:
                yield to
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _command(arguments: Sequence[object]) -> list[str]:
        return [sys.executable, "-m", "streams.cli", *map(str, arguments)]

    def _environment(self, more: dict[str, object]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        usual = {"COLUMNS": WIDTH, "SEGUE_WEB_PORT": "0", "SEGUE_METRICS_PORT": "0"}  # tests run side by side
        return {**inherited, **usual, **self.environment, **{name: str(value) for name, value in more.items()}}


def stop(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> Ended:
    """Send a signal and wait for the process to end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_S)
    return Ended(process.returncode, out, err)


def deployment(name: str, kafka: str, redis: str, partitions: int) -> Segue:
    """Make a deployment's command line, with its own topics, keys and group."""
    names = {
        field_name: f"{name}.{info.default}"
        for field_name, info in Deployment.model_fields.items()
        if "_topic" in field_name
    }
    settings: dict[str, object] = {
        **names,
        "partitions": partitions,
        "redis_prefix": name,
        "group": name,
        "kafka_bootstrap_servers": kafka,
        "redis_url": redis,
        "checkpoint_every_ms": 200,
    }
    return Segue({f"SEGUE_{key.upper()}": str(value) for key, value in settings.items()})


def event(subject: str, type_: str, id_: object, **data: Any) -> str:
    """Write an event with the present time as a line."""
    value = {
        "specversion": "1.0",
        "id": str(id_),
        "source": "/test",
        "type": type_,
        "subject": subject,
        "time": format_instant(time.time_ns() // 1_000_000),
        "data": data,
    }
    return json.dumps(value) + "\n"


def wait_for(done: Callable[[], Any]) -> Any:
    """Repeat a question until the answer is true. Returns the answer."""
    until = time.monotonic() + LIMIT_S
    while not (answer := done()):
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.2)
    return answer

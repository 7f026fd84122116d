"""Run many commands of `segue` soon: one process imports everything, and forks for each command."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.acceptance.command import ROOT, Ended, Segue

PROGRAM: Final = """
import json, os, sys
from streams.cli.commands import COMMANDS
from streams.cli.main import main
for each in COMMANDS:
    each.load()
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.clear()
        os.environ.update(order["environment"])
        for number, file in enumerate(order["files"]):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), number)
        sys.stdin = open(0, closefd=False)
        sys.argv = ["segue", *order["arguments"]]
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 99
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forked:
    """Runs commands of a deployment one after the other. Status 99: a traceback got out."""

    def __init__(self, segue: Segue, folder: Path) -> None:
        """A folder inside `folder` takes the output of each command."""
        self._segue = segue
        self._folder = folder / "forked"
        self._folder.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def __call__(self, arguments: Sequence[object], environment: dict[str, str], stdin: str = "") -> Ended:
        """Run one command to its end."""
        files = [self._folder / name for name in ("in", "out", "err")]
        for file, text in zip(files, (stdin, "", ""), strict=True):
            file.write_text(text)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        order = {
            "arguments": [str(each) for each in arguments],
            "environment": {**inherited, "COLUMNS": "200", **self._segue.environment, **environment},
            "files": [str(file) for file in files],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Ended(status, files[1].read_text(errors="replace"), files[2].read_text(errors="replace"))


@dataclass
class Quick(Segue):
    """The command line of one deployment whose commands run forked; workers and deliverers are processes as ever."""

    forked: Forked | None = None

    def __call__(self, *arguments: object, stdin: str = "", **environment: object) -> Ended:
        assert self.forked is not None
        return self.forked(arguments, {name: str(value) for name, value in environment.items()}, stdin)

"""Running a demo: the servers, the signals that end it, the play, its summary on the console."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from rich.console import Console

from streams import embedded
from streams.clock import SystemClock
from streams.demo import stage, summary
from streams.demo.lines import Lines
from streams.demo.outcome import DemoOutcome
from streams.demo.play import Options, Play
from streams.demo.screen import Screen
from streams.demo.show import Show
from streams.demo.sources import Data, open_source
from streams.operations.errors import Unreachable
from streams.operations.servers import silence_libraries

SECONDS: Final = 60.0
"""How long synthetic events are played where nothing else is asked for."""
PLAIN_WIDTH: Final = 100
"""Columns of the summary where there is no terminal."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for."""

    data: Data
    seconds: float | None
    """None: `SECONDS` of synthetic events, the whole CDNOW log."""
    profiles: int
    rate: int | None
    """Events a second at most; None: what the machine keeps up with."""
    seed: int
    keep: bool
    """Servers and a worker stay up until Ctrl-C."""


class Presenter:
    """Shows a demo on standard output, or on standard error where standard output is for a program."""

    def __init__(self, *, on_stderr: bool) -> None:
        stream = sys.stderr if on_stderr else sys.stdout
        self._console = Console(stderr=on_stderr, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH)
        self.live = self._console.is_terminal and not self._console.is_dumb_terminal
        """Whether a person looks on at a terminal."""
        self._show: Show = Screen(self._console) if self.live else Lines(stream)

    def run(self, wanted: DemoOptions) -> DemoOutcome:
        """Run a demo to its end and return the outcome. Raises Unreachable where the servers do not start.

        SIGTERM, SIGHUP and Ctrl-C end it in order: KeyboardInterrupt, with nothing left behind.
        """
        silence_libraries()
        stage.forget_settings()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        synthetic = wanted.data is Data.SYNTHETIC
        seconds = SECONDS if wanted.seconds is None and synthetic else wanted.seconds
        options = Options(seconds, wanted.rate, synthetic or wanted.rate is not None, wanted.seed)
        source = open_source(wanted.data, wanted.profiles, wanted.seed, SystemClock().wall_ms)
        try:
            with embedded.running(self._show.step) as servers:
                play = Play(options, source, servers, self._show)
                return _run(lambda: self._play(play, wanted))
        except embedded.EmbeddedError as error:
            raise Unreachable(str(error)) from None

    async def _play(self, play: Play, wanted: DemoOptions) -> DemoOutcome:
        try:
            outcome = await play.run()
            summary.show(self._console, outcome, wanted.data)
            if wanted.keep:
                await self._keep(play)
            return outcome
        finally:
            await play.close()

    async def _keep(self, play: Play) -> None:
        """Leave it up until Ctrl-C, which is then no interruption but the end."""
        self._console.print("\nServers and a worker stay up until Ctrl-C. In another terminal:\n")
        for name, value in play.environment.items():
            self._console.print(f"export {name}={value}", soft_wrap=True)
        self._console.print("segue sizes; segue lag; segue watch --from-start; segue verify\n")
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        await ended.wait()


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it; a signal to end cancels it in order, as Ctrl-C does."""

    async def main() -> T:
        task = asyncio.current_task()
        if task is not None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work()

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None

"""`segue demo`: the whole system on this machine.

What it needs is imported when it runs: the client libraries take half a second to load.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.console import Console

from streams.cli.render.terminal import tell, write_json
from streams.operations.errors import Unreachable, WrongInput

if TYPE_CHECKING:
    from streams.demo.play import Outcome, Play

SECONDS: Final = 60.0
PROFILES: Final = 2_000
PLAIN_WIDTH: Final = 140
"""Of the summary where there is no terminal."""
T = TypeVar("T")


class DataChoice(StrEnum):
    """What to play; see streams.demo.sources."""

    SYNTHETIC = "synthetic"
    CDNOW = "cdnow"


def demo(
    data: Annotated[
        DataChoice,
        typer.Option(
            help="Invented engagement events, or the public CDNOW purchase log (retail purchases played as fills)."
        ),
    ] = DataChoice.SYNTHETIC,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            metavar="S",
            envvar="DEMO_SECONDS",
            help="How long to play events. Without: 60 for synthetic ones, the whole log for cdnow.",
        ),
    ] = None,
    profiles: Annotated[int, typer.Option(min=10, max=1_000_000, metavar="N", help="Synthetic profiles.")] = PROFILES,
    rate: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Events a second, at most. Without: what this machine keeps up with."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of the invented events and of the sample checked.")
    ] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and a worker up until Ctrl-C, to try other commands on them.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Only the summary on standard output, as JSON; the rest to standard error.")
    ] = False,
) -> None:
    """Show the whole system at work here, and check what it published.

    The real Kafka and Valkey, two workers, live events and changes.
    Everything runs on loopback in a folder of its own, and is gone at the end,
    whatever ends it; no other servers are touched. Half-way one worker is killed
    with -9. At the end every published change is compared with the log applied
    again, and those of sampled profiles with an evaluator that shares no code
    with the engine.

    Exit status 1: a change was missing, repeated or wrong; 3: the servers do not
    start. With --seconds the last line of output is JSON.

    Example: segue demo --seconds 20
    """
    from streams import embedded
    from streams.clock import SystemClock
    from streams.demo import stage, summary
    from streams.demo.lines import Lines
    from streams.demo.play import Options, Play
    from streams.demo.screen import Screen
    from streams.demo.sources import Data, open_source
    from streams.operations.servers import silence_libraries

    terminal = (sys.stderr if as_json else sys.stdout).isatty()
    console = Console(stderr=as_json, highlight=False, width=None if terminal else PLAIN_WIDTH)
    live = console.is_terminal and not console.is_dumb_terminal
    show = Screen(console) if live else Lines(sys.stderr if as_json else sys.stdout)
    silence_libraries()
    stage.forget_settings()
    chosen = Data(data.value)
    if seconds is None and chosen is Data.SYNTHETIC:
        played_s: float | None = SECONDS
    else:
        played_s = seconds
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        source = open_source(chosen, profiles, seed, SystemClock().wall_ms)
        steady = chosen is Data.SYNTHETIC or rate is not None
        with embedded.running(show.step) as servers:
            play = Play(Options(played_s, rate, steady, seed), source, servers, show)
            outcome = _run(lambda: _play(play, keep, console, chosen))
    except embedded.EmbeddedError as error:
        raise Unreachable(str(error)) from None
    except KeyboardInterrupt:
        tell("Interrupted: servers and workers are stopped, nothing is left behind.")
        raise
    told = summary.as_json(outcome, chosen)
    if as_json or seconds is not None or not live:
        write_json(told)
    if not outcome.right:
        raise WrongInput(*summary.wrong(told))


async def _play(play: "Play", keep: bool, console: Console, data: Any) -> "Outcome":
    from streams.demo import summary

    try:
        outcome = await play.run()
        summary.show(console, outcome, data)
        if keep:
            await _keep(play, console)
        return outcome
    finally:
        await play.close()


async def _keep(play: "Play", console: Console) -> None:
    """Leave it up until Ctrl-C, which is then no interruption but the end."""
    console.print("\nServers and a worker stay up until Ctrl-C. In another terminal:\n")
    for name, value in play.environment.items():
        console.print(f"export {name}={value}", soft_wrap=True)
    console.print("segue sizes; segue lag; segue watch --from-start; segue verify\n")
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

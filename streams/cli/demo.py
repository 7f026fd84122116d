"""`segue demo`: the whole system on this machine."""

from typing import Annotated, Final

import typer

from streams.cli.render.terminal import tell, write_json
from streams.demo import summary
from streams.demo.main import DemoOptions, Presenter
from streams.demo.sources import Data
from streams.operations.errors import WrongInput

PROFILES: Final = 2_000


def demo(
    data: Annotated[
        Data,
        typer.Option(
            help="Invented engagement events, or the public CDNOW purchase log (retail purchases played as fills)."
        ),
    ] = Data.SYNTHETIC,
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
        int, typer.Option(min=0, metavar="N", help="Seed of the invented events and of the sample checked.")
    ] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and a worker up until Ctrl-C, to try other commands on them.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Only the summary on standard output, as JSON; the rest to standard error.")
    ] = False,
) -> None:
    """Show the whole system at work here, and check what it published.

    The real Kafka and Valkey, two workers, live events and changes. Everything runs on loopback in a folder of its own
    and is gone at the end, however the demo ends; no other servers are touched. Half-way one worker is killed with -9.
    At the end every published change is compared with the log applied again, and those of sampled profiles with an
    evaluator that shares no code with the engine.

    Exit status 1: a change was missing, repeated or wrong; 3: the servers do not start. With --seconds the last line of
    output is JSON.

    Example: segue demo --seconds 20
    """
    presenter = Presenter(on_stderr=as_json)
    try:
        outcome = presenter.run(DemoOptions(data, seconds, profiles, rate, seed, keep))
    except KeyboardInterrupt:
        tell("Interrupted: servers and workers are stopped, nothing is left behind.")
        raise
    told = summary.as_json(outcome, data)
    if as_json or seconds is not None or not presenter.live:
        write_json(told)
    if not outcome.right:
        raise WrongInput(*summary.wrong(told))

"""The root of the command line: one Typer application, its commands each in a module of their family."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from streams.cli import audience, audit, definitions, delivering, demo, events, mapping, operations
from streams.cli.console import fail
from streams.exits import Exit
from streams.operations.failure import Failure


class Root(TyperGroup):
    """Ends every command alike: Ctrl-C with 130, a reader that has enough (`| head`) with 0."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(int(Exit.INTERRUPTED)) from None
        except BrokenPipeError:
            # or Python would write to it once more at its end, and complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(int(Exit.DONE)) from None


app = typer.Typer(
    cls=Root,
    name="segue",
    help=(
        "Keep audience segments true in real time: engagement events in from Kafka; every membership change, "
        "and whom each channel may contact now, out, once.\n\n"
        "Start with [bold]segue demo[/bold]; write definitions with [bold]segue check[/bold] and "
        "[bold]segue replay[/bold] (no servers needed); run with [bold]topics[/bold], [bold]apply[/bold], "
        "[bold]worker[/bold]. Settings come from SEGUE_* environment variables.\n\n"
        "Exit status: 0 done, 1 the input is wrong, 2 usage, 3 a server is not reachable (within 10 s)."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for family in (demo, definitions, mapping, operations, events, delivering, audience, audit):
    family.add_to(app)


def main() -> None:
    """Run the command line; a `Failure` becomes its text on stderr and its exit status."""
    try:
        app(prog_name="segue")
    except Failure as failure:
        raise SystemExit(fail(failure)) from None

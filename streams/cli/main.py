"""The root of the command line: `segue`, its own options, and how every command ends."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from streams.cli.commands import COMMANDS, Named, paragraphs, without_flag_types
from streams.exits import Exit
from streams.operations.errors import OperationError, Unreachable, WrongInput, WrongRequest

STATUSES: Final[dict[type[OperationError], Exit]] = {
    WrongInput: Exit.WRONG_INPUT,
    WrongRequest: Exit.USAGE,
    Unreachable: Exit.NOT_REACHABLE,
}
"""The exit status of each family of errors."""


class Root(TyperGroup):
    """Knows every command by name and ends all of them alike: Ctrl-C with 130, a reader that has enough with 0."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in COMMANDS:
            self.add_command(Named(command))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the root's own options."""
        return without_flag_types(super().get_params(ctx))

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


app: Final = typer.Typer(
    cls=Root,
    name="segue",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"segue {version('segue')}")
        raise typer.Exit


def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Keep audience segments true in real time.

    Engagement events come in from Kafka; every membership change, and whom each channel may contact now, goes out
    once.

    Start with [bold]segue demo[/bold]. Write definitions with [bold]segue check[/bold] and [bold]segue replay[/bold],
    which need no servers. Run with [bold]topics[/bold], [bold]apply[/bold] and [bold]worker[/bold]. Settings come from
    SEGUE_* environment variables.

    Exit status: 0 done, 1 the input is wrong, 2 usage, 3 a server is not reachable.
    """


app.callback(help=paragraphs(root))(root)


def main() -> None:
    """Run the command line; an OperationError becomes its lines on stderr and its family's exit status."""
    try:
        app(prog_name="segue")
    except OperationError as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(int(status_of(error))) from None


def status_of(error: OperationError) -> Exit:
    """Return the exit status of an error's family."""
    return next(status for family, status in STATUSES.items() if isinstance(error, family))

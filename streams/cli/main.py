"""The root of the command line: one Typer application, its commands each in a module of their family."""

import typer

from streams.cli import definitions
from streams.cli.console import Failure, fail

app = typer.Typer(
    name="segue",
    help=(
        "Keep audience segments true in real time: engagement events in from Kafka, "
        "every membership change out, once.\n\n"
        "Start with [bold]segue demo[/bold]; write definitions with [bold]segue check[/bold] and "
        "[bold]segue replay[/bold] (no servers needed); run with [bold]topics[/bold], [bold]apply[/bold], "
        "[bold]worker[/bold]. Settings come from SEGUE_* environment variables.\n\n"
        "Exit status: 0 done, 1 the input is wrong, 2 usage, 3 a server is not reachable."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
)
definitions.add_to(app)


def main() -> None:
    """Run the command line; a `Failure` becomes its text on stderr and its exit status."""
    try:
        app()
    except Failure as failure:
        raise SystemExit(fail(failure)) from None

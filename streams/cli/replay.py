"""`segue replay`: events from a file through the engine, with no servers."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from rules.catalogue.catalogue import Catalogue
from rules.engine.replay import RefusedLine, Replay, Then
from rules.ground.words import count
from streams.cli.arguments import Folder, expect_file, read_instant
from streams.cli.commands import PlainCommand
from streams.cli.render.progress import progress
from streams.cli.render.terminal import err
from streams.exits import Exit
from streams.operations.applying.pilots import complete
from streams.operations.definitions import expect_key, load
from streams.operations.errors import WrongRequest

SHOWN_EVERY: Final = 1_000
"""Lines between two moves of the progress bar."""
_JOIN: Final = "\0"


class CommandClass(PlainCommand):
    """Lets `--then` take two values: Typer's lists hold one value an item, so the two are joined before parsing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words after each `--then`."""
        joined: list[str] = []
        rest = iter(args)
        for word in rest:
            joined.append(word)
            if word == "--":
                joined.extend(rest)
            elif word == "--then":
                pair = [value for _, value in zip(range(2), rest, strict=False)]
                if len(pair) < 2:
                    ctx.fail("--then takes two values: an instant T and a folder DIR2")
                joined.append(_JOIN.join(pair))
        return super().parse_args(ctx, joined)


def replay(
    folder: Folder,
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS.ndjson",
            help="One structured CloudEvent a line, in order of arrival; [bold]-[/bold] reads standard input.",
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option(metavar="T", help="Stop at this instant (RFC 3339 or epoch ms) and fire every wake up to it."),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(metavar="T DIR2", help="Put the catalogue DIR2 into force at T; may be given again."),
    ] = None,
    as_live: Annotated[
        bool,
        typer.Option(
            "--as-live",
            help="Do at a cut what a worker does: new conditions wait for the history that the file brings.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if any line was refused.")] = False,
) -> None:
    """Run events from a file through a catalogue, as a worker would.

    The worker's engine, one partition, no servers. Changes of memberships and activations go to standard output, one
    compact JSON a line; refused lines to standard error as `line N: code`. A line's `recordedtime` is the timestamp of
    its record (without one, its `time`).

    Example: segue replay catalogue events.ndjson --until 2026-03-31T00:00:00Z
    """
    expect_file(events)
    catalogue = load(folder)
    cuts = _cuts(catalogue, then or ())
    expect_key(catalogue, *(cut.catalogue for cut in cuts))
    until_ms = None if until is None else read_instant(until)
    refused = False
    write = sys.stdout.buffer.write
    with _opened(events) as stream, _lines(stream, events) as lines:
        for each in Replay(catalogue, cuts, as_live=as_live).run(lines, until_ms):
            if isinstance(each, RefusedLine):
                refused = True
                print(f"line {each.line}: {each.code}", file=sys.stderr)
            else:
                write(each.value)
                write(b"\n")
    sys.stdout.buffer.flush()
    if refused and strict:
        raise typer.Exit(int(Exit.WRONG_INPUT))


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb")


@contextmanager
def _lines(stream: BinaryIO, path: Path) -> Iterator[Iterator[bytes]]:
    """Have the lines, with their progress shown where a person waits: changes go elsewhere, stderr is a terminal."""
    if sys.stdout.isatty() or not err.is_terminal:
        yield iter(stream)
        return
    with progress() as shown:
        total = None if str(path) == "-" else path.stat().st_size
        task = shown.add_task("Replaying (bytes)", total=total, note="")

        def counted() -> Iterator[bytes]:
            read = 0
            for number, line in enumerate(stream, start=1):
                read += len(line)
                if number % SHOWN_EVERY == 0:
                    shown.update(task, completed=read, note=count(number, "line"))
                yield line

        yield counted()


def _cuts(catalogue: Catalogue, pairs: Sequence[str]) -> list[Then]:
    """Return the cuts in order, each with what its pilots take from the catalogue in force by then."""
    cuts = []
    for cut in sorted(_read_cuts(pairs), key=lambda cut: cut.t_ms):
        catalogue = complete(cut.catalogue, catalogue, readable=True)
        cuts.append(Then(cut.t_ms, catalogue))
    return cuts


def _read_cuts(pairs: Sequence[str]) -> Iterator[Then]:
    for pair in pairs:
        instant, _, folder = pair.partition(_JOIN)
        t_ms = read_instant(instant)
        if not Path(folder).is_dir():
            raise WrongRequest(f"--then: {folder} is no folder")
        yield Then(t_ms, load(Path(folder)))

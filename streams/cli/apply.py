"""`segue apply`: put a catalogue into force, and say what that changes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from rich.text import Text

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import WAYS, WHATS, Difference, Way, What
from rules.ground.words import count
from streams.cli.arguments import Json, expect_said
from streams.cli.render.lacks_table import lacks_table
from streams.cli.render.progress import fill_progress, partition_progress
from streams.cli.render.tables import keep_whole, row, table
from streams.cli.render.terminal import err, out, tell, write_json
from streams.cli.running import run
from streams.operations.apply import ApplyOutcome, put_into_force
from streams.operations.applying.approved import NotApproved
from streams.operations.applying.git import git_state
from streams.operations.applying.options import Options
from streams.operations.applying.warning import ApplyWarning
from streams.operations.approving.signed import read_signed_folder
from streams.operations.back import before
from streams.operations.definitions import load_with_sources
from streams.operations.errors import WrongRequest
from streams.operations.preview import Preview, Wanted
from streams.operations.preview_name import read_name
from streams.operations.rehearsal import rehearse
from streams.operations.servers import Servers

_STYLES: Final[Mapping[Way, str]] = {
    "new": "green",
    "changed": "yellow",
    "reworded": "dim",
    "moved": "yellow",
    "retired": "red",
    "gone": "red",
}
SHOWN_MAX: Final = 60
"""Differences in the table; the rest is counted."""
PLURALS: Final[Mapping[What, str]] = {
    "segment": "segments",
    "activation": "activations",
    "trait": "traits",
    "event": "events",
    "policy": "rulings of the policy",
}


def apply(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", exists=True, file_okay=False, readable=True, help="The catalogue's folder."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Put it into force again although it is: a new cut in every partition.")
    ] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who applies it; without: the login.")] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, in a sentence.")] = None,
    break_glass: Annotated[
        str | None,
        typer.Option("--break-glass", metavar="REASON", help="Without approvals, in an emergency: it may only narrow."),
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Return to the catalogue before, as it was; without DIR.")
    ] = False,
    no_fill: Annotated[
        bool, typer.Option("--no-fill", help="Do not bring the history that it needs: `segue fill` does, later.")
    ] = False,
    preview: Annotated[
        str | None,
        typer.Option("--preview", metavar="HASH", help="Refuse unless all is as `segue preview` compared it."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask every check and show the preview; write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a catalogue and put it into force.

    One transaction does it for every partition of the input. Says what changes against the catalogue in force:
    segments, activations, dictionary, policy. Creates the topics of channels that are new, and deletes none. Says
    first which conditions look at history and since when the log can tell, and brings that history after the cut: see
    `segue fill`. Warns of what begins without history. Already in force: says so and writes nothing. The record in the
    log says who applied it, why, when, and from which revision of git.

    --back returns to the catalogue that was in force before, with the versions that it had. Given again, it goes back
    one more.

    Where policy.yaml asks for approvals, a catalogue that lacks a signature is refused. --break-glass REASON asks for
    none, may only narrow (retire, withdraw content, suppress more, shorten), and is recorded.

    Example: segue apply catalogue --note "Oncology asks for two views"
    """
    expect_said("--break-glass", break_glass, "the reason, in a sentence: it stands in the log")
    expect_said("--by", by, "the name of the person who applies it: it stands in the log")
    expect_said("--note", note, "why, in a sentence: it stands in the log")
    if preview is not None:
        read_name(preview)
    asked = Options(
        again=again, by=by, note=note, break_glass=break_glass, preview=preview, fill=not no_fill, on_say=tell
    )
    if back and folder is not None:
        raise WrongRequest(f"--back returns to the catalogue before, which the log has: leave {folder} out")
    given = None if back else _given(folder, asked)
    with _lacks_shown(as_json):
        if dry_run:
            _rehearse(folder, given, asked, as_json=as_json)
            return
        catalogue, outcome = _apply(given, asked)
    for warning in outcome.warnings:
        tell(f"warning: {warning.said}")
    if as_json:
        write_json(outcome.as_json())
    else:
        show(outcome, catalogue)


_Given: TypeAlias = tuple[Catalogue, Options] | None
"""The catalogue of a folder with its options; None: the catalogue before is asked for."""


def _given(folder: Path | None, asked: Options) -> _Given:
    if folder is None:
        raise WrongRequest("give the catalogue's folder, or --back to return to the catalogue before")
    sources, catalogue = load_with_sources(folder)
    signed = read_signed_folder(folder)
    return catalogue, replace(asked, git=git_state(folder, catalogue.files), signed=signed, sources=sources)


@contextmanager
def _lacks_shown(as_json: bool) -> Iterator[None]:
    """Show by whom definitions are still to be approved, where that is why nothing was applied."""
    try:
        yield
    except NotApproved as refused:
        if as_json:
            write_json({"applied": False, "lacks": [each.as_json() for each in refused.lacks]})
        else:
            err.print(lacks_table(refused.lacks))
        raise


def _apply(given: _Given, asked: Options) -> tuple[Catalogue, ApplyOutcome]:
    with fill_progress() as (on_share, on_wait):

        async def work(servers: Servers) -> tuple[Catalogue, ApplyOutcome]:
            catalogue, options = given or await before(servers, asked)
            told = replace(options, on_share=on_share, on_wait=on_wait)
            return catalogue, await put_into_force(servers, catalogue, told)

        return run(work)


def _rehearse(folder: Path | None, given: _Given, asked: Options, *, as_json: bool) -> None:
    from streams.cli.preview import show as show_preview  # here, for start-up time

    with partition_progress() as on_offset:

        async def work(servers: Servers) -> tuple[tuple[ApplyWarning, ...], Preview]:
            catalogue, options = given or await before(servers, asked)
            return await rehearse(servers, catalogue, options, Wanted(), on_offset)

        warnings, found = run(work)
    for warning in warnings:
        tell(f"warning: {warning.said}")
    if found.not_shown:
        tell(f"{found.note.partition(':')[0]}: segue preview --restricted counts them")
    show_preview(found, None, folder, as_json=as_json)


def show(outcome: ApplyOutcome, catalogue: Catalogue) -> None:
    """Say what an apply did, for people."""
    for name in outcome.created_topics:
        out.print(Text(f"created  {name}", "green"))
    if not outcome.applied:
        out.print(f"Catalogue {outcome.hash[:12]} is in force already: nothing was written (--again does it anyway).")
        return
    shown = table("", "", "name", "what it means")
    # with the first catalogue all is new: what it declares is more than anybody reads
    told = [each for each in outcome.differences if outcome.before or each.what in ("segment", "activation")]
    for each in told[:SHOWN_MAX]:
        means = each.said or _title(catalogue, each)
        shown.add_row(*row([Text(each.way, _STYLES[each.way]), each.what, each.name, means]))
    if told:
        keep_whole(shown, "name", (each.name for each in told[:SHOWN_MAX]))
        out.print(shown)
    if len(told) > SHOWN_MAX:
        out.print(f"… and {len(told) - SHOWN_MAX} more: --json names them all.")
    segments, activations = outcome.unchanged
    counted = [_counted(what, outcome.differences) for what in WHATS]
    if segments or activations:
        counted.append(f"unchanged: {count(segments, 'segment')}, {count(activations, 'activation')}")
    for said in filter(None, counted):
        out.print(said)
    out.print(
        f"Catalogue {outcome.hash[:12]} is in force: one cut in each of {count(outcome.partitions, 'partition')}."
    )
    for step in outcome.steps:
        for line in step.said:
            out.print(Text(line))


def _counted(what: What, found: Sequence[Difference]) -> str:
    ways = Counter(each.way for each in found if each.what == what)
    counts = ", ".join(f"{ways[way]} {way}" for way in WAYS if ways[way])
    return f"{PLURALS[what]}: {counts}" if counts else ""


def _title(catalogue: Catalogue, each: Difference) -> str | None:
    found = catalogue.segments.get(each.name) if each.what == "segment" else None
    return None if found is None else found.title

"""`segue match` over files: exports to a table of candidates, and a decided table to link events."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.operations.errors import WrongInput, WrongRequest
from streams.operations.matching.candidates import Found, expect_kinds_of_organisations, find
from streams.operations.matching.columns import Mapped
from streams.operations.matching.exports import read_exports
from streams.operations.matching.link_events import LinkEvent, link_events, read_links
from streams.operations.matching.persons import Person, persons
from streams.operations.matching.table import Line, expect_one_decision, looked_again, read_table, table_text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare by, and how. `output`: the table; `decided`: earlier tables, whose decided pairs stay away."""

    by: frozenset[str]
    at_least: float
    organisations: Collection[str]
    mappings: Sequence[Mapped]
    output: Path
    decided: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Linked:
    """What accepted pairs come to."""

    persons: Sequence[Person]
    events: Sequence[LinkEvent]
    undecided: int
    """Pairs of the tables without a decision."""
    refused: int


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a table. `kept`: decided lines in it; `doubted`: those that the exports speak against now."""

    found: Found
    kept: int
    doubted: int


def make_table(files: Sequence[Path], wanted: Wanted) -> Made:
    """Find candidates and write the table.

    A table that is there already is read first: its decisions stay in it. One that somebody saves meanwhile is left, so
    that no decision is lost. Raises WrongRequest, WrongInput, and
    MatchingMissing.
    """
    before = _bytes_of(wanted.output)
    kept = [] if before is None else [line for line in read_table(wanted.output) if line.decision]
    others = [line for file in wanted.decided if file != wanted.output for line in read_table(file) if line.decision]
    expect_one_decision([*kept, *others])
    found = find(
        read_exports(files, wanted.mappings),
        wanted.by,
        at_least=wanted.at_least,
        organisations=wanted.organisations,
        decided={line.pair for line in (*kept, *others)},
    )
    if _bytes_of(wanted.output) != before:
        raise WrongInput(f"{wanted.output} was changed meanwhile, and is left as it is: run the command again")
    shown = [looked_again(line, found) for line in kept]
    write_whole(wanted.output, table_text(found.candidates, shown).encode())
    return Made(found, len(kept), sum(line.cells != now.cells for line, now in zip(kept, shown, strict=True)))


def _bytes_of(file: Path) -> bytes | None:
    """Return what a file holds; None: there is no such file. Raises WrongRequest."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise WrongRequest(f"{file} cannot be read: {wrong.strerror}") from None


def accepted_subjects(tables: Sequence[Path]) -> set[str]:
    """Return the subjects of accepted pairs. Raises WrongInput."""
    lines = (line for file in tables for line in read_table(file))
    return {subject for line in lines if line.decision == "accept" for subject in line.pair}


def make_links(
    tables: Sequence[Path],
    sent: Sequence[Path],
    *,
    canonical: Sequence[str],
    organisations: Collection[str],
    running: Mapping[str, str] | None = None,
    erased: Collection[str] = (),
) -> Linked:
    """Turn what tables accept into persons and events. `sent`: files of link events of before. Raises WrongInput.

    `running`: alias to canonical in the running system, where it is known: then that is what stands, not the files.
    """
    lines: list[Line] = [line for file in tables for line in read_table(file)]
    expect_one_decision(lines)
    kinds = {subject.partition(":")[0] for line in lines for subject in line.pair}
    expect_kinds_of_organisations(organisations, kinds)
    linked = read_links(sent) if running is None else running
    made = persons(lines, linked, canonical=canonical, organisations=organisations, erased=erased)
    decisions = [line.decision for line in lines]
    return Linked(made, link_events(made, lines, linked), decisions.count(""), decisions.count("refuse"))


def write_whole(file: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises WrongRequest."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    except OSError as wrong:
        beside.unlink(missing_ok=True)
        raise WrongRequest(f"{file} cannot be written: {wrong.strerror}") from None


def expect_new(file: Path, *, send: bool) -> None:
    """See that a file of link events would not replace one of before; an empty one holds none. Raises WrongInput.

    `send`: the running system says what is linked already, so that no file of before is wanted.
    """
    if file.exists() and (not file.is_file() or file.stat().st_size):
        before = "" if send else ", and give that one as --sent"
        raise WrongInput(f"{file} is there already: name another file for --links{before}")

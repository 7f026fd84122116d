"""`segue match`: find subjects that may be one person or organisation, and turn accepted ones into link events."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from rules.language.validation import nearest
from streams.cli.arguments import Json, expect_file, read_instant
from streams.cli.render.match_summary import write_found, write_linked
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.operations.errors import WrongRequest
from streams.operations.line_batches import line_batches
from streams.operations.links.reading import read_all
from streams.operations.matching.candidates import FIELDS, ORGANISATION_KINDS
from streams.operations.matching.columns import read_mapping
from streams.operations.matching.files import Wanted, accepted_subjects, expect_new, make_links, make_table, write_whole
from streams.operations.matching.normal import MatchingMissing
from streams.operations.send import send_lines

LEAST: Final = 0.3
"""Below it, nine of ten pairs of synthetic people are two: reading them is not worth a steward's time."""
MISSING: Final = (
    "segue match needs packages that are not installed: run `pip install 'segue[match]'`, or in a clone"
    " `pip install '.[match]'`"
)


def match(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Exports: .csv, .ndjson or .parquet.")
    ] = None,
    by: Annotated[str, typer.Option(metavar="A,B,…", help="Compare by these.")] = ",".join(FIELDS),
    columns: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="[FILE:] FIELD=COLUMN, …: see above; may be given again.")
    ] = None,
    at_least: Annotated[float, typer.Option(metavar="P", help="Least probability of a scored pair.")] = LEAST,
    organisations: Annotated[str, typer.Option(metavar="KIND,…", help="Kinds that are organisations.")] = ",".join(
        ORGANISATION_KINDS
    ),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="TABLE", help="The table of candidates, CSV.")
    ] = None,
    decided: Annotated[
        list[Path] | None, typer.Option(metavar="TABLE", help="A table with decisions; may be given again.")
    ] = None,
    links: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what is accepted as link events.")] = None,
    canonical: Annotated[
        str, typer.Option(metavar="KIND,…", help="Who stands for the others: the first of these kinds.")
    ] = "",
    sent: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Link events of before; may be given again.")
    ] = None,
    at: Annotated[str | None, typer.Option("--time", metavar="T", help="The events' time; without: now.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Also send them; what is linked already is left out.")] = False,
    as_json: Json = False,
) -> None:
    """Find subjects that may be one person, and link the accepted ones.

    First: compares the rows of exports and writes pairs that may be one to TABLE. Needs no server. In the column
    [bold]decision[/bold] a data steward writes accept or refuse. Run again with the same TABLE, decided pairs stay as
    they are, and never come back as new ones.

    Then, with [bold]--decided TABLE --links FILE[/bold]: writes the accepted pairs as identity.linked events for
    `segue send`. It refuses what cannot be one person.

    A row needs a subject; npi, email, name (or given, family), street, city and postcode are found by their usual
    headings. --columns 'crm.csv: subject=crm:ID, name=Contact' names others, and puts crm: before each ID.

    Example: segue match crm.csv portal.ndjson -o candidates.csv
    """
    kinds = _list_of("--organisations", organisations)
    if links is None:
        if sent or canonical or at is not None or send:
            raise WrongRequest("--sent, --canonical, --time and --send go with --links")
        if not files:
            raise WrongRequest("give exports to compare, or --decided TABLE --links FILE to link what was accepted")
        if output is None:
            raise WrongRequest("say where the table of candidates goes: -o candidates.csv")
        _find(files, output, decided or (), by, columns or (), at_least, kinds, as_json)
        return
    if files or output is not None:
        raise WrongRequest("find candidates and link accepted ones in two steps: --links takes --decided, no exports")
    if send and sent:
        raise WrongRequest("give --sent or --send: with --send, the running system says what is linked already")
    if not decided:
        raise WrongRequest("--links needs --decided TABLE: the table in which pairs were accepted")
    for file in (*decided, *(sent or ())):
        expect_file(file)
    expect_new(links, send=send)
    t_ms = time.time_ns() // 1_000_000 if at is None else read_instant(at)
    asked = accepted_subjects(decided) if send else set()
    standing = run(lambda servers: read_all(servers, also=asked)) if send else None
    made = make_links(
        decided,
        sent or (),
        canonical=_list_of("--canonical", canonical) if canonical else (),
        organisations=kinds,
        running=None if standing is None else standing.standing,
        erased=() if standing is None else standing.erased,
    )
    if made.events:
        write_whole(links, b"".join(each.line(t_ms) + b"\n" for each in made.events))
        if send:
            _send(links)
    if as_json:
        persons = [{"canonical": each.canonical, "others": list(each.others)} for each in made.persons]
        write_json({"persons": persons, "events": len(made.events), "undecided": made.undecided, "sent": send})
    else:
        write_linked(made, links, sent=send)


def _send(links: Path) -> None:
    sent = False
    try:
        run(lambda servers: send_lines(servers, line_batches(links)))
        sent = True
    finally:
        if not sent:
            tell(f"not all of {links} is sent: `segue send {links}` sends it again; what arrives twice changes nothing")


def _find(
    files: Sequence[Path],
    output: Path,
    decided: Sequence[Path],
    by: str,
    columns: Sequence[str],
    at_least: float,
    organisations: Sequence[str],
    as_json: bool,
) -> None:
    fields = _list_of("--by", by)
    for each in fields:
        if each not in FIELDS:
            raise WrongRequest(f"--by: {each!r} is nothing to compare by{nearest(each, FIELDS)}")
    if set(fields) == {"address"}:
        raise WrongRequest("--by: an address alone tells nobody from another: add npi, email or name")
    if not 0 <= at_least <= 1:
        raise WrongRequest("--at-least takes a probability, from 0 to 1, like 0.8")
    for file in (*files, *decided):
        expect_file(file)
    mappings = [read_mapping(each, files) for each in columns]
    wanted = Wanted(frozenset(fields), at_least, organisations, mappings, output, decided)
    try:
        made = make_table(files, wanted)
    except MatchingMissing:
        raise WrongRequest(MISSING) from None
    found = made.found
    if as_json:
        looked = {
            of: [{"key": each.words, "pairs": each.pairs, "left_out": each.left_out} for each in keys]
            for of, keys in found.looked.items()
        }
        counts = {"rows": found.rows, "subjects": found.subjects, "candidates": len(found.candidates)}
        left = {"kept": made.kept, "two_npis": len(found.apart), "decided": len(found.decided)}
        write_json(counts | left | {"doubted": made.doubted, "looked": looked})
    else:
        write_found(made, at_least)
        tell(f"{output}: write accept or refuse into the column decision")


def _list_of(option: str, text: str) -> list[str]:
    """Read words with a comma between them."""
    words = [each.strip() for each in text.split(",")]
    if not all(words):
        raise WrongRequest(f"{option} {text!r}: give words with a comma between them")
    return words

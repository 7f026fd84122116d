"""`segue links`: which subjects stand for which, what is odd, what a link would change, and taking one back."""

import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

import typer

from rules.ground.words import count
from rules.language.validation import nearest
from streams.cli.arguments import AlsoRestricted, Json, expect_said, read_subject
from streams.cli.links_listed import Asked, list_links
from streams.cli.render.links_view import consequences_json, write_consequences, write_subject
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.exits import Exit
from streams.operations.errors import UnknownSubject, WrongRequest
from streams.operations.links.consequences import SOURCE, Consequences, consequences
from streams.operations.links.reading import read_person
from streams.operations.matching.link_events import LinkEvent
from streams.operations.send import send_lines
from streams.operations.servers import Servers

ACTIONS: Final = ("take-back", "preview")
DAYS: Final = 7
"""Days of the log that are searched for subjects that their own link erased, unless --days says otherwise."""
LIMIT: Final = 100
"""Links that --find and --erased show on a terminal or in a pipe, unless --limit says otherwise."""
LISTS: Final = "--find, --of-more-than, --rings, --erased and --journeys"


def links(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUBJECT | take-back SUBJECT | preview SUBJECT CANONICAL",
            help="A subject; or what to do, with its subjects.",
        ),
    ] = None,
    find: Annotated[
        str | None, typer.Option(metavar="TEXT", help="List the links that name a subject with TEXT in it.")
    ] = None,
    of_more_than: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="List the persons of more than N subjects.")
    ] = None,
    rings: Annotated[bool, typer.Option("--rings", help="List the links that lead in a ring.")] = False,
    erased: Annotated[
        bool, typer.Option("--erased", help="List the links to erased subjects, and whom such a link erased, too.")
    ] = False,
    ended: Annotated[
        bool, typer.Option("--journeys", help="List the journeys that a link ended, or switched to another arm.")
    ] = False,
    days: Annotated[
        int | None, typer.Option(min=1, metavar="N", help=f"With --erased: search N days of the log, {DAYS} without.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"With --find or --erased: list N links, {LIMIT} without; --json: all."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the link back without asking.")] = False,
    restricted: AlsoRestricted = False,
    as_json: Json = False,
) -> None:
    """Say which subjects stand for which, and what is odd; take a link back.

    Without a word: how many links there are, and how many are odd. A link to an erased subject makes a living person
    vanish; of a ring all are in nothing; a person of more than 50 subjects is a mistake in most cases. The options list
    them; [bold]--find TEXT[/bold] searches by a part of a subject. With a SUBJECT: for whom it stands since when and by
    which event, and who stands for it.

    [bold]preview SUBJECT CANONICAL[/bold] says what a link would change now, and which running journeys would end or go
    on in another arm. [bold]take-back SUBJECT[/bold] says the same of taking its link back, asks, and sends the event.

    Example: segue links preview crm:0031 hcp:1234567893
    """
    expect_said("--find", find, "a part of a subject, like 0031")
    _expect_list(find, days, limit, erased=erased)
    asked = Asked(find, of_more_than, rings, erased, ended, days or DAYS, limit or (None if as_json else LIMIT))
    if asked.lists > 1:
        raise WrongRequest(f"give one of {LISTS}")
    if yes and (not words or words[0] != "take-back"):
        raise WrongRequest("--yes goes with take-back")
    if not words:
        list_links(asked, restricted=restricted, as_json=as_json)
        return
    if asked.lists:
        raise WrongRequest(f"{LISTS} list links of all subjects: give no SUBJECT")
    action, *subjects = words if words[0] in ACTIONS or ":" not in words[0] else ["", *words]
    if action and action not in ACTIONS:
        # what was given may be somebody's name: it is not repeated
        raise WrongRequest(f"give a subject, like hcp:1234567893, or an action{nearest(action, ACTIONS)}")
    _expect_count(action, subjects)
    if not action:
        _one(read_subject(subjects[0]), as_json)
        return
    names = ("SUBJECT", "CANONICAL")
    read = [read_subject(each, name) for each, name in zip(subjects, names, strict=False)]
    event = LinkEvent(read[0], read[1] if action == "preview" else None)
    if action == "take-back" and not yes and not sys.stdin.isatty():
        raise WrongRequest("take-back asks before it sends: run it on a terminal, or give --yes")
    found = run(lambda servers: consequences(servers, event, restricted=restricted))
    if as_json:
        write_json(consequences_json(found))
    else:
        write_consequences(found)
    if found.note:
        tell(found.note)
    if action == "take-back":
        if not yes and not typer.confirm("Take this link back?", err=True):
            tell("nothing was sent")
            raise typer.Exit(int(Exit.WRONG_INPUT))
        run(lambda servers: _send(servers, event))
        if not as_json:
            _tell_sent(found)


def _tell_sent(found: Consequences) -> None:
    write_sentence("sent: identity.unlinked")
    if found.by_match:
        write_sentence("refuse the pair in its table, too: else the next `segue match --send` links it again")


def _expect_list(find: str | None, days: int | None, limit: int | None, *, erased: bool) -> None:
    """See that options of a list are given with that list."""
    if days is not None and not erased:
        raise WrongRequest("--days goes with --erased")
    if limit is not None and not erased and find is None:
        raise WrongRequest("--limit goes with --find and --erased")


def _expect_count(action: str, subjects: list[str]) -> None:
    wanted = 2 if action == "preview" else 1
    if len(subjects) != wanted:
        form = {"preview": "preview SUBJECT CANONICAL", "take-back": "take-back SUBJECT"}.get(action, "one SUBJECT")
        raise WrongRequest(f"give {form}, not {count(len(subjects), 'subject')}")


def _one(subject: str, as_json: bool) -> None:
    found = run(lambda servers: read_person(servers, subject))
    if not found.by_subject[subject].known:
        raise UnknownSubject
    if as_json:
        person = [found.by_subject[each].as_json() for each in sorted(found.by_subject)]
        write_json({"subject": subject, "canonical": found.end(subject), "person": person})
    else:
        write_subject(subject, found)


async def _send(servers: Servers, event: LinkEvent) -> None:
    async def lines() -> AsyncIterator[tuple[int, Sequence[bytes]]]:
        line = event.line(time.time_ns() // 1_000_000, SOURCE)
        yield len(line), [line]

    await send_lines(servers, lines())

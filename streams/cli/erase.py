"""`segue erase`: forget people."""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import orjson
import typer

from rules.ground.instants import format_instant
from rules.ground.words import count
from streams.cli.arguments import Json, Subjects, SubjectsFile, expect_said, read_subjects
from streams.cli.render.sentences import write_command, write_sentence
from streams.cli.render.terminal import tell, write_line
from streams.cli.running import run
from streams.operations.erase import Erased
from streams.operations.erase import erase as erase_person
from streams.operations.errors import WrongRequest
from streams.operations.persons import PersonFound, find_people
from streams.operations.servers import Servers
from streams.wire.erasures import names

NAMED_MAX: Final = 20
"""Up to so many subjects stand in the command that is shown."""
NO_WAY_BACK: Final = "An erasure cannot be undone: read what is written above before you go on."
NO_WAY_BACK_LINKED: Final = (
    "A wrong link and an erasure together cannot be undone: read the subjects through before you go on."
)


def erase(
    subject: Subjects = None,
    file: SubjectsFile = None,
    request: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The reference of the request, like DSR-117. It must name nobody."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How long to wait for the workers.")] = 60,
    as_json: Json = False,
) -> None:
    """Forget people: every subject, every fact, every membership.

    Shows every subject of each person first, and asks; without a terminal it wants [bold]--yes[/bold]. Then sends the
    event privacy.erased, waits until the workers have erased every subject, and tells which segments and channels each
    one left. What stays, and until when, says [bold]segue privacy[/bold].

    A wrong link and an erasure together cannot be undone: whoever was linked by mistake is erased too. Exit status 3:
    the event is in the log, and workers have not carried it out in time.

    Example: segue erase hcp:1234567893 --request DSR-117 --yes
    """
    expect_said("--request", request, "the reference of the request, like DSR-117")
    subjects = read_subjects(subject, file)
    run(lambda servers: _erase(servers, subjects, request, wait, yes=yes, as_json=as_json))


async def _erase(
    servers: Servers, subjects: list[str], request: str | None, wait_s: int, *, yes: bool, as_json: bool
) -> None:
    people = await find_people(servers, subjects)
    if request is not None and any(names(request, each) for person in people for each in person.profiles):
        raise WrongRequest("--request repeats a subject: give a reference that names nobody, it is kept for years")
    if not as_json:
        for person in people:
            _show(person)
    tell(NO_WAY_BACK_LINKED if any(len(person.profiles) > 1 for person in people) else NO_WAY_BACK)
    if not yes:
        _ask(len(people))
    erased: list[str] = []
    for person in people:
        done = await erase_person(servers, person, request, wait_s=wait_s)
        erased += done.subjects
        _write(done) if as_json else _tell(done)
    if not as_json:
        _tell_what_to_ask(erased)
        if request is not None:
            write_sentence("what each platform answered to segue deliver:")
            write_command(["segue", "privacy", "--receipts", request], indent=2)


def _show(person: PersonFound) -> None:
    """Show the subjects of a person."""
    several = f"{count(len(person.profiles), 'subject')} of one person"
    write_sentence(f"{person.asked}: {several if len(person.profiles) > 1 else 'one subject, linked to no other'}")
    for subject, profile in person.profiles.items():
        canonical = person.stands_for(subject)
        if profile is None:
            said = "not known: events of it will be refused"
        elif canonical is not None:
            said = f"stands for {canonical}"
        elif profile.person is not None and profile.person.erased is not None and not profile.is_known:
            said = f"was erased at {format_instant(profile.person.erased.time_ms)}"
        elif not profile.is_known:
            said = "known without facts"
        else:
            said = f"in {count(len(profile.stays), 'segment')}"
        write_sentence(f"{subject}  {said}", indent=2)


def _ask(people: int) -> None:
    if not sys.stdin.isatty():
        raise WrongRequest("nobody can be asked here: give --yes once you have read the subjects through")
    if not typer.confirm(f"Erase {'this person' if people == 1 else f'these {people} people'}?", err=True):
        raise typer.Exit(1)


def _write(done: Erased) -> None:
    """Write one person's outcome as a JSON line."""
    write_line(orjson.dumps(done.as_json()))


def _tell(done: Erased) -> None:
    write_sentence(f"{done.subject}: erased, with {count(len(done.subjects), 'subject')}; the event is {done.id}")
    for each in done.left:
        where = "segment" if each.channel is None else f"channel {each.channel}, activation"
        write_sentence(f"{each.subject} left {where} {each.name}", indent=2)
    if not done.left:
        write_sentence("it was in no segment, and no activation was active", indent=2)
    for silent in done.silent:
        said = f"channel {silent.channel} told of {silent.subject} earlier and had nothing to end now"
        write_sentence(f"{said}: ask its platform to delete {silent.subject}", indent=2)
    for channel in sorted({each.channel for each in done.silent}):
        write_sentence(
            f"where segue deliver delivers {channel}, with its settings, this asks and keeps the receipt:", indent=2
        )
        theirs = [each.subject for each in done.silent if each.channel == channel]
        asks = [word for subject in theirs for word in ("--delete", subject)]
        write_command(["segue", "deliver", channel, *asks, "--erasure", done.id], indent=4)


def _tell_what_to_ask(subjects: Sequence[str]) -> None:
    """Write the command that tells of all subjects: an erasure drops the links that held them together."""
    write_sentence(f"by when nothing is left on disk{', of all subjects together' if len(subjects) > 1 else ''}:")
    if len(subjects) <= NAMED_MAX:
        write_command(["segue", "privacy", *subjects], indent=2)
    else:
        write_sentence("put the subjects above into a file, one a line, and run", indent=2)
        write_command(["segue", "privacy", "--file", "FILE"], indent=2)

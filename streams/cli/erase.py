"""`segue erase`: forget people."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from rules.ground.instants import format_instant
from streams.cli.arguments import Json, expect_file, expect_said, read_subject
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import tell, write_line
from streams.cli.render.words import count
from streams.cli.running import run
from streams.operations.erase import Erased
from streams.operations.erase import erase as erase_person
from streams.operations.errors import WrongRequest
from streams.operations.persons import PersonFound, find_person
from streams.operations.servers import Servers

NO_WAY_BACK: Final = (
    "A wrong link and an erasure together cannot be undone: read the subjects through before you go on."
)


def erase(
    subject: Annotated[
        list[str] | None, typer.Argument(metavar="SUBJECT", help="A subject of the person, like hcp:1234567893.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also the subjects of a file, one a line; - reads stdin.")
    ] = None,
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
    subjects = list(dict.fromkeys([*map(read_subject, subject or ()), *_from_file(file)]))
    if not subjects:
        raise WrongRequest("give a SUBJECT, like hcp:1234567893, or a --file of subjects")
    run(lambda servers: _erase(servers, subjects, request, wait, yes=yes, as_json=as_json))


def _from_file(file: Path | None) -> Iterator[str]:
    """Read subjects, one a line; empty lines are skipped. The message names the line and not the subject."""
    if file is None:
        return
    expect_file(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise WrongRequest(f"{file}: it is no UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield read_subject(line.strip(), f"line {number} of {file}")


async def _erase(
    servers: Servers, subjects: list[str], request: str | None, wait_s: int, *, yes: bool, as_json: bool
) -> None:
    people = await _people(servers, subjects)
    if not as_json:
        for person in people:
            _show(person)
    tell(NO_WAY_BACK)
    if not yes:
        _ask(len(people))
    for person in people:
        done = await erase_person(servers, person, request, wait_s=wait_s)
        if as_json:
            _write(done)
        else:
            _tell(done)


async def _people(servers: Servers, subjects: list[str]) -> list[PersonFound]:
    """Find each person once, however many of the subjects are theirs."""
    found: list[PersonFound] = []
    for subject in subjects:
        if not any(subject in person.profiles for person in found):
            found.append(await find_person(servers, subject))
    return found


def _show(person: PersonFound) -> None:
    """Show the subjects of a person."""
    write_sentence(f"{person.asked}: {count(len(person.profiles), 'subject')} of one person")
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
    for channel in done.silent_channels:
        said = (
            f"channel {channel} told of this person earlier and had nothing to end now: ask its platform to delete it"
        )
        write_sentence(said, indent=2)
    others = ", and the same for each other subject" if len(done.subjects) > 1 else ""
    write_sentence(f"when nothing is left on disk: segue privacy {done.subject}{others}", indent=2)

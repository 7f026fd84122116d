"""What `segue links` says."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from rules.ground.instants import format_instant
from rules.ground.words import count
from streams.cli.render.change_line import change_line
from streams.cli.render.sentences import write_sentence
from streams.operations.links.consequences import Consequences
from streams.operations.links.graph import SUBJECTS_MAX, Linked, Links, Person
from streams.operations.links.journeys import Journey
from streams.operations.links.vanished import Vanished

SHOWN: Final = 20
"""Subjects of one person that are listed; a person of more is most likely a mistake, and --json has them all."""


def write_summary(links: Links) -> None:
    """Say how many links there are, and how many are odd."""
    persons = [each for each in links.persons() if each.end is not None]
    largest = max((len(each.subjects) for each in persons), default=0)
    many = sum(len(each.subjects) > SUBJECTS_MAX for each in persons)
    said = f"{count(links.count, 'link')}; {count(len(persons), 'person', 'persons')} of several subjects"
    write_sentence(said + (f", the largest of {largest:,}" if persons else ""))
    odd = (
        (len(links.to_erased()), "link", "to an erased subject: a living person vanishes", "segue links --erased"),
        (len(links.rings()), "ring", "of links: all of it are in nothing", "segue links --rings"),
        (many, "person", f"of more than {SUBJECTS_MAX} subjects", f"segue links --of-more-than {SUBJECTS_MAX}"),
    )
    for number, noun, what, command in odd:
        if number:
            write_sentence(f"{count(number, noun)} {what}; see `{command}`")
    if not any(number for number, *_ in odd):
        write_sentence("no ring, no link to an erased subject, no person of too many subjects")
    if links.count:
        write_sentence("journeys that links ended or switched to another arm: `segue links --journeys`")
        write_sentence("subjects that were erased by their own link: `segue links --erased`")


def write_subject(subject: str, links: Links) -> None:
    """Say for whom a subject stands, who stands for it, and what is odd."""
    linked = links.by_subject[subject]
    if linked.erased_ms is not None:
        write_sentence(f"{subject} was erased at {format_instant(linked.erased_ms)}")
    if linked.canonical is not None:
        write_sentence(f"{subject} stands for {linked.canonical} {_since(linked)}")
    way, end = links.way(subject), links.end(subject)
    if end is None:
        write_sentence(f"its links lead in a ring, so all of it are in nothing: {' → '.join([*way, links.next(way)])}")
        _write_each(way, links)
        return
    if len(way) > 2:
        write_sentence(f"over {' → '.join(way[1:-1])} the links end at {end}")
    erased = [each for each in way[1:] if links.by_subject[each].erased_ms is not None]
    if erased:
        write_sentence(f"{erased[0]} was erased: what is told of {subject} is in nothing; `take-back` brings it back")
    subjects = [each for each in links.subjects_of(end) if each != end]
    if not subjects:
        write_sentence(f"{subject} stands for itself, and no other subject stands for it")
        return
    write_sentence(f"{count(len(subjects) + 1, 'subject')} are the person {end}:")
    _write_each(subjects, links)


def _write_each(subjects: Sequence[str], links: Links) -> None:
    """List the links of subjects, with the event that says so."""
    for each in subjects[:SHOWN]:
        alias = links.by_subject[each]
        write_sentence(f"{each} → {alias.canonical} {_since(alias)}", indent=2)
    if len(subjects) > SHOWN:
        write_sentence(f"and {len(subjects) - SHOWN:,} more: --json has them all", indent=2)


def write_vanished(vanished: Sequence[Vanished], since_ms: int) -> None:
    """List whom links erased."""
    for each in vanished:
        write_sentence(f"{each.subject} was erased at {format_instant(each.told_ms)} by its link: {each.event}")
    write_sentence(
        f"{count(len(vanished), 'subject')} erased by a link to an erased subject, in the log since"
        f" {format_instant(since_ms)}"
    )


def write_persons(persons: Sequence[Person], *, rings: bool) -> None:
    """List persons, or rings."""
    for each in persons:
        shown = ", ".join(each.subjects[:SHOWN]) + (", …" if len(each.subjects) > SHOWN else "")
        head = "a ring" if each.end is None else each.end
        write_sentence(f"{head}: {count(len(each.subjects), 'subject')}: {shown}")
    noun = ("ring",) if rings else ("person", "persons")
    write_sentence(count(len(persons), *noun))


def write_links(listed: Sequence[Linked], links: Links, most: int | None, *, erased: bool = False) -> None:
    """List `most` links (None: all), and say how many of all these are. `erased`: they lead to erased subjects."""
    for each in listed[:most]:
        since = f", erased; {each.event}" if erased else f" {_since(each)}"
        write_sentence(f"{each.subject} → {each.canonical}{since}")
    if most is not None and len(listed) > most:
        write_sentence(f"and {len(listed) - most:,} more: --limit N lists more, --json lists all")
    write_sentence(f"{len(listed):,} of {count(links.count, 'link')}")


def write_journeys(journeys: Sequence[Journey]) -> None:
    """List what became of journeys."""
    for each in journeys:
        write_sentence(f"{each.subject} → {each.end or 'a ring'}: {_fate(each)}")
    ended = sum(each.fate == "ends" for each in journeys)
    write_sentence(f"{count(ended, 'journey')} ended by a link, {len(journeys) - ended:,} switched to another arm")


def write_consequences(found: Consequences) -> None:
    """Say what an event would change."""
    event = found.event
    no_longer = "" if found.stands_for is None else f", and no longer for {found.stands_for}"
    if event.canonical is None:
        write_sentence(f"{event.subject} would stand for itself again{no_longer}, judged by what was told of it")
    else:
        write_sentence(f"{event.subject} would stand for {event.canonical}{no_longer}")
        if found.end not in (None, event.canonical):
            write_sentence(f"{event.canonical} is an alias: the links end at {found.end}, who gets the facts")
    for each in found.warnings:
        write_sentence(f"warning: {each}")
    for journey in found.journeys:
        write_sentence(_fate(journey))
    for change in found.changes:
        write_sentence(change_line(orjson.loads(change.value) | {"reason": _without_event(change.value)}, ()))
    asked = "; nothing is sent by this" if event.canonical is not None else ""
    write_sentence(f"{count(len(found.changes), 'change')}, if nothing else comes before{asked}")


def consequences_json(found: Consequences) -> dict[str, Any]:
    """Return the JSON value of consequences, for programs."""
    return {
        "subject": found.event.subject,
        "canonical": found.event.canonical,
        "stands_for": found.stands_for,
        "end": found.end,
        "warnings": list(found.warnings),
        "journeys": [each.as_json() for each in found.journeys],
        "changes": [orjson.loads(each.value) for each in found.changes],
    }


def _without_event(value: bytes) -> dict[str, Any]:
    """Return a change's reason without its event: it is the one that was asked about."""
    reason: dict[str, Any] = orjson.loads(value)["reason"]
    return reason | {"events": []}


def _since(linked: Linked) -> str:
    since = "" if linked.since_ms is None else f"since {format_instant(linked.since_ms)}"
    return f"{since} ({linked.event})"


def _fate(journey: Journey) -> str:
    if journey.fate == "ends":
        return f"{journey.activation} ends, which was active for {journey.of}"
    arms = f": {journey.arm} before, {journey.arm_now} now" if journey.fate == "goes on in another arm" else ""
    return f"{journey.activation} {journey.fate}{arms}"

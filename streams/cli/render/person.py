"""A person for people: for whom a subject stands, which subjects a profile is made of, that it was erased."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from rules.explain.affiliations import Affiliation
from rules.explain.persons import PersonExplanation, event_words
from rules.ground.instants import format_instant
from streams.cli.render.sentences import write_sentence
from streams.operations.linked_subjects import LinkedSubjects
from streams.operations.person_subjects import PersonSubject, subjects_of

AFFILIATIONS_SHOWN: Final = 10
RING: Final = "its links lead in a ring: all of the ring are in nothing until one of these links is changed"


def show_person(person: PersonExplanation, linked: LinkedSubjects | None) -> None:
    """Say what links and erasures made of a profile."""
    for sentence in person.because:
        write_sentence(Text(sentence, "yellow"))
    if person.stands_for is not None:
        _show_end(person.stands_for, linked)
    subjects = subjects_of(person, linked)
    if any(each.subject != person.subject for each in subjects):
        write_sentence(
            Text("its facts are those of" if person.stands_for is None else "it brings the facts of", "bold")
        )
        for each in subjects:
            write_sentence(_subject(each), indent=2)


def show_affiliations(affiliations: Sequence[Affiliation], subject: str) -> None:
    """Say to which organisations a profile is tied, and was. `subject`: the profile's own."""
    for each in affiliations[:AFFILIATIONS_SHOWN]:
        under = "" if each.subject == subject else f" (told of {each.subject})"
        write_sentence(Text(f"{each}{under}"))
    more = len(affiliations) - AFFILIATIONS_SHOWN
    if more > 0:
        write_sentence(Text(f"and {more} more affiliations: --json lists all", "dim"))


def _show_end(canonical: str, linked: LinkedSubjects | None) -> None:
    """Say where the links end, as far as other states tell."""
    if linked is None:
        return
    if linked.end is None:
        write_sentence(Text(RING if linked.whole else "its links lead on to more subjects than are read", "yellow"))
        return
    on = "" if linked.end == canonical else f"the links lead on to {linked.end}: "
    write_sentence(Text(f"{on}what holds of the person: segue explain {linked.end}", "dim"))


def _subject(each: PersonSubject) -> Text:
    line = Text.assemble((each.subject, "bold"))
    if each.known_since_ms is None or each.latest_ms is None:
        line.append("  no facts", "dim")
    else:
        line.append(f"  {format_instant(each.known_since_ms)} to {format_instant(each.latest_ms)}", "dim")
    if each.via and each.via != each.subject:
        line.append(f"  through {each.via}")
    if each.canonical is not None and each.link is not None:
        line.append(f"  stands for {each.canonical} since {event_words(each.link)}")
    return line

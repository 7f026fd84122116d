"""Laws of affiliations. They follow from the text; the naive evaluator obeys them."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.naive.affiliations import latest, tied, ties
from tests.naive.candidates import instants
from tests.naive.lives import Lives
from tests.naive.pending import Era
from tests.naive.replay import Cut, read, replay
from tests.properties.affiliations import ORGANISATIONS, PEOPLE, REACHING, reaching, tied_histories
from tests.properties.catalogues import catalogues, changed_catalogues
from tests.properties.drawing import Grid
from tests.properties.persons import LINKS, lines_of, with_erasure
from tests.properties.test_same import HOURS, PATIENCE_S, checks
from tests.transcripts.implementations import engine, naive, plain
from tests.transcripts.transcript import Files

pytestmark = pytest.mark.timeout(PATIENCE_S)
MILLISECONDS = Grid("ms", HOURS.start, 40)
UNTIL = HOURS.at(HOURS.span + 30)
ERASING = [*LINKS, *LINKS, "privacy.erased"]
History = list[dict[str, Any] | bytes]


def show(files: Files, lines: Sequence[bytes]) -> None:
    """Note what a failing example was."""
    note(f"files={files!r}")
    for each in lines:
        note(each.decode(errors="replace"))


def lived(files: Files, lines: Sequence[bytes]) -> Lives:
    """Live through a history."""
    first = Era(plain(files), None, (), remembering=True)
    file = read(first, lines, None, [], False)
    lives = Lives(first, instants)
    lives.run(file.records, file.end or 0)
    return lives


@checks
@given(st.data())
def test_each_subject_that_is_tied_knows_the_latest_of_each_type(data: st.DataObject) -> None:
    files = reaching(data.draw(catalogues(HOURS)))
    lines = lines_of(data.draw(tied_histories(HOURS, links=LINKS)))
    show(files, lines)
    lives = lived(files, lines)
    persons = lives.persons
    for end in [one for one in persons.all.values() if one.canonical is None]:
        for name, event in latest(end, lives.era.catalogue).items():
            roles, told_as = lives.era.catalogue.reaching[name]
            for subject in tied(persons, end.subject, roles):
                assert (*event.identity[:3], told_as) in persons.of(subject).own


@checks
@given(st.data())
def test_an_event_without_reaches_is_told_to_nobody(data: st.DataObject) -> None:
    files = data.draw(catalogues(HOURS))
    lines = lines_of(data.draw(tied_histories(HOURS, links=LINKS)))
    show(files, lines)
    for person in lived(reaching(files, [[], []]), lines).persons.all.values():
        assert len(person.own) <= sum(f'"subject": "{person.subject}"'.encode() in one for one in lines)


@checks
@given(st.data())
def test_only_subjects_that_were_ever_tied_are_told_anything(data: st.DataObject) -> None:
    files = reaching(data.draw(catalogues(HOURS)))
    history: History = data.draw(tied_histories(HOURS, links=ERASING))
    someone = data.draw(st.sampled_from(PEOPLE))
    apart = [
        only_time(one) if is_affiliation(one, someone) else one
        for one in history
    ]  # fmt: skip
    show(files, lines_of(apart))
    told = lived(files, lines_of(apart)).persons.of(someone)
    sent = {one["id"] for one in apart if isinstance(one, dict) and one.get("subject") == someone}
    assert {identity[2] for identity in told.own} <= sent


def is_affiliation(one: dict[str, Any] | bytes, subject: str) -> bool:
    """Tell whether a line is an affiliation of a subject."""
    return not isinstance(one, bytes) and one["subject"] == subject and one["type"].startswith("affiliation.")


def is_link(one: dict[str, Any] | bytes) -> bool:
    """Tell whether a line is a link event."""
    return not isinstance(one, bytes) and one["type"].startswith("identity.")


def only_time(one: dict[str, Any] | bytes) -> dict[str, Any] | bytes:
    """Leave of an event its record, which moves the clock."""
    assert isinstance(one, dict)
    return {"type": "segue.tick", "recordedtime": one["recordedtime"]}


@checks
@given(st.data())
def test_what_is_told_says_byte_for_byte_what_the_same_events_say_in_the_file(data: st.DataObject) -> None:
    catalogue = data.draw(catalogues(HOURS))
    history: History = data.draw(tied_histories(HOURS, bad=False))
    written_out: History = []
    standing: dict[tuple[str, str, str], tuple[list[Any], bool]] = {}
    heard: dict[tuple[str, str], dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()
    for one in history:
        assert isinstance(one, dict)
        written_out.append(one)
        subject, name, content, identity = one["subject"], one["type"], one["data"], [one["time"], one["id"]]
        if (subject, one["id"]) in seen:
            continue
        seen.add((subject, one["id"]))
        if name in REACHING:
            if (subject, name) not in heard or order(heard[subject, name]) < order(one):
                heard[subject, name] = one
            told = {who for (who, where, role), (_, now) in standing.items() if now and reached(where, role, one)}
            written_out += [as_told(one, who, one) for who in sorted(told)]
        elif name.startswith("affiliation."):
            key = (subject, content["organisation"], content["role"])
            before = standing.get(key, ([], False))
            if identity > before[0]:
                standing[key] = (identity, name == "affiliation.started")
            if standing[key][1] and not before[1]:
                known = [heard[key[1], each] for each in sorted(REACHING) if (key[1], each) in heard]
                written_out += [as_told(each, subject, one) for each in known if reached(key[1], key[2], each)]
    show(catalogue, lines_of(written_out))
    alone = naive(reaching(catalogue, [[], []]), lines_of(written_out), [], UNTIL, False)[0]
    assert naive(reaching(catalogue), lines_of(history), [], UNTIL, False)[0] == alone


def order(event: dict[str, Any]) -> tuple[str, str]:
    """Return the place of an event in the order of events; all have one source and one form of time."""
    return event["time"], event["id"]


def reached(organisation: str, role: str, event: dict[str, Any]) -> bool:
    """Tell whether an event reaches a tie."""
    return event["subject"] == organisation and (role == "r" or event["type"] == "updated")


def as_told(event: dict[str, Any], subject: str, cause: dict[str, Any]) -> dict[str, Any]:
    """Write what an event tells to a subject, in a record at the instant of its cause."""
    data = {**(event["data"] or {}), "organisation": event["subject"]}
    told = {"subject": subject, "type": REACHING[event["type"]], "recordedtime": cause["recordedtime"]}
    return {**event, **told, "data": data}


@checks
@given(st.data())
def test_affiliations_sent_twice_tell_the_same(data: st.DataObject) -> None:
    files = reaching(data.draw(catalogues(HOURS)))
    history: History = data.draw(tied_histories(HOURS, bad=False))
    twice = [each for one in history for each in ([one, one] if "affiliation." in str(one) else [one])]
    show(files, lines_of(history))
    assert naive(files, lines_of(history), [], UNTIL, False)[0] == naive(files, lines_of(twice), [], UNTIL, False)[0]


@checks
@given(st.data())
def test_links_of_people_change_nobodys_ties(data: st.DataObject) -> None:
    files = reaching(data.draw(catalogues(HOURS)))
    history: History = data.draw(tied_histories(HOURS, links=LINKS))
    show(files, lines_of(history))
    linked = lived(files, lines_of(history))
    alone = lived(files, lines_of([only_time(one) if is_link(one) else one for one in history]))
    for subject in [*PEOPLE, *ORGANISATIONS]:
        assert ties(linked.persons.of(subject)) == ties(alone.persons.of(subject))


@checks
@given(st.data())
def test_chosen_instants_say_what_every_millisecond_says_of_affiliations(data: st.DataObject) -> None:
    files = data.draw(catalogues(MILLISECONDS))
    lines = lines_of(data.draw(tied_histories(MILLISECONDS, links=ERASING)))
    later = data.draw(with_erasure(data.draw(changed_catalogues(MILLISECONDS, files))))
    cuts = [Cut(MILLISECONDS.at(9), plain(reaching(later, [["s"], ["s"]])))]
    show(files, lines)
    arguments = (plain(reaching(files)), lines, MILLISECONDS.start + 80, cuts)
    assert replay(*arguments) == replay(*arguments, walk=True)


@checks
@given(st.data())
def test_the_engine_says_what_the_naive_evaluator_says_of_affiliations(data: st.DataObject) -> None:
    files = data.draw(with_erasure(data.draw(catalogues(HOURS))))
    links = data.draw(st.sampled_from([[], LINKS, ERASING]))
    lines = lines_of(data.draw(tied_histories(HOURS, links=links)))
    roles = data.draw(st.sampled_from([[["r"], ["r", "s"]], [["r"], []], [[], ["s"]]]))
    later = data.draw(with_erasure(data.draw(changed_catalogues(HOURS, files))))
    cuts = [(HOURS.at(data.draw(st.integers(3, 20))), reaching(later, [["s"], ["s"]]))]
    show(files, lines)
    note(f"{cuts=}")
    arguments = (reaching(files, roles), lines, data.draw(st.sampled_from([[], cuts])), UNTIL, False)
    assert engine(*arguments) == naive(*arguments)

"""Random histories of persons with several subjects: links, relinks, rings, redeliveries across subjects, erasures.

Every event has an id of its own, unless it is a redelivery: of two events that share an identity and differ in content
either may count, and over several subjects that choice would be seen.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.times import written
from tests.properties.activations import FOCI
from tests.properties.catalogues import catalogues, changed_catalogues, changed_contacts, contacts
from tests.properties.drawing import Condition, Grid, chance
from tests.properties.histories import CONTACTS, TYPES, an_event, line, lines_and_events
from tests.properties.test_same import Scene
from tests.transcripts.transcript import Files

PERSONS = ["hcp:1", "hcp:3", "lab:2", "crm:4", "crm:5"]
"""Few subjects, so that links meet: chains, rings, two aliases of one."""
LINKS = ["identity.linked", "identity.linked", "identity.linked", "identity.unlinked"]
ERASING = [*LINKS, *LINKS, "privacy.erased"]
STATELESS: list[Condition] = [
    {"segment": "liked", "version": 1, "status": "approved", "enter": {"trait": "color", "equals": "red"}},
    {"segment": "lately", "version": 1, "status": "approved", "enter": {"event": "a", "within": "6h"}},
    {"segment": "often", "version": 1, "status": "approved", "enter": {"event": "b", "count": {"at_least": 2}}},
    {"segment": "quiet", "version": 1, "status": "approved", "enter": {"absent": "b", "within": "2h"}},
    {"segment": "steady", "version": 1, "status": "approved", "enter": {"trait": "vip", "equals": True, "for": "3h"}},
    {
        "segment": "below",
        "version": 1,
        "status": "approved",
        "parent": "lately",
        "enter": {"last": "b", "is": {"n": {"above": 0}}},
    },
    {"segment": "agreed", "version": 1, "status": "approved", "enter": {"consent": {"channel": "sms", "purpose": "p"}}},
]
"""Segments of which a profile is a member by its facts and the instant alone, whatever it was a member of before."""


@st.composite
def linked_histories(
    draw: DrawFn,
    grid: Grid,
    most: int = 24,
    types: Sequence[str] = TYPES,
    links: Sequence[str] = ERASING,
    bad: bool = True,
) -> list[dict[str, Any] | bytes]:
    """Events and other lines, in arrival order. `links`: the types of link events and erasures that are among them."""

    def repeated(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "subject": draw(st.sampled_from(PERSONS))} if chance(draw, 60) else event

    def fresh(index: int, recorded: int, fate: int) -> dict[str, Any]:
        if fate < 45 and links:
            return a_link(draw, grid, index, recorded, links)
        return {**an_event(draw, grid, index, recorded, types, PERSONS), "id": f"e{index}"}

    return lines_and_events(draw, grid, most, bad, 16, repeated, fresh)


def a_link(draw: DrawFn, grid: Grid, index: int, recorded: int, links: Sequence[str]) -> dict[str, Any]:
    """Draw a link event or an erasure: mostly in time, sometimes late. Sometimes it names its own subject."""
    late = draw(st.sampled_from([0, 0, 0, 0, 1, 3])) * grid.unit_ms
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": draw(st.sampled_from([f"e{index}", f"a{index}", f"z{index}"])),
        "source": "/s",
        "type": draw(st.sampled_from(links)),
        "subject": draw(st.sampled_from(PERSONS)),
        "time": written(recorded - late),
        "recordedtime": written(recorded),
    }
    if event["type"] == "identity.linked":
        event["data"] = {"canonical": draw(st.sampled_from(PERSONS))}
    return event


def lines_of(history: Sequence[dict[str, Any] | bytes]) -> list[bytes]:
    """Write a history as the lines of a file."""
    return [one if isinstance(one, bytes) else line(one) for one in history]


@st.composite
def with_erasure(draw: DrawFn, files: Files) -> Files:
    """Give a catalogue a policy for what comes after an erasure, or none."""
    said = draw(st.sampled_from([None, "begin_anew", "begin_anew", "refuse"]))
    if said is None:
        return files
    return {**files, "policy.yaml": {**files.get("policy.yaml", {}), "erasure": {"afterwards": said}}}


@st.composite
def linked_scenes(draw: DrawFn, grid: Grid, cuts: int = 0) -> Scene:
    """A catalogue, a history of persons, and at most `cuts` cuts."""
    files = draw(catalogues(grid))
    made: list[tuple[int, Files]] = []
    last, at = files, 0
    for _ in range(draw(st.integers(0, cuts))):
        at += draw(st.integers(1, 8))
        last = draw(changed_catalogues(grid, last))
        made.append((grid.at(at), draw(with_erasure(last))))
    until = grid.at(draw(st.integers(at, grid.span + 20)))
    lines = lines_of(draw(linked_histories(grid)))
    return Scene(draw(with_erasure(files)), lines, made, draw(st.sampled_from([None, until])), chance(draw, 8))


@st.composite
def linked_contact_scenes(draw: DrawFn, grid: Grid, cuts: int = 2) -> Scene:
    """Activations of persons over plain segments, and cuts that change them."""
    mix = FOCI[draw(st.sampled_from(sorted(FOCI)))]
    first = draw(contacts(grid, mix))
    made: list[tuple[int, Files]] = []
    last, at = first, 0
    for _ in range(cuts):
        at += draw(st.integers(1, 8))
        last = draw(changed_contacts(grid, last, first, mix))
        made.append((grid.at(at), draw(with_erasure(last))))
    lines = lines_of(draw(linked_histories(grid, types=[*CONTACTS, *mix.events])))
    scene = Scene(draw(with_erasure(first)), lines, made, grid.at(grid.span + 10))
    return replace(scene, as_live=chance(draw, 8))

"""Random histories of affiliations: who is tied to which organisation, and what these organisations are told.

The type that is told is one that drawn rules know, so that telling moves segments of the drawn catalogues.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.times import written
from tests.properties.drawing import DICTIONARY, Grid
from tests.properties.histories import data_of, lines_and_events
from tests.transcripts.transcript import Files

PEOPLE = ["hcp:1", "hcp:3", "crm:4"]
ORGANISATIONS = ["org:1", "org:2", "lab:2"]
ROLES = ["r", "s"]
REACHING = {"opened": "b", "updated": "set"}
"""The types that organisations are told, and the type that each is told as."""
STRING = {"organisation": {"type": "string"}}
EVENTS: dict[str, Any] = DICTIONARY["events"]
SET_DATA = {path: DICTIONARY["traits"][path] for path in ("level", "rank", "vip", "due", "tags")}


def reaching(files: Files, roles: Sequence[Sequence[str]] = (["r"], ["r", "s"])) -> Files:
    """Let the dictionary of a catalogue say what reaches whom. `roles`: of `opened`, of `updated`; empty: nobody."""
    dictionary = files["dictionary.yaml"]
    events = dict(dictionary["events"])
    told_set = {**events["set"], "data": {**events["set"]["data"], **STRING}}
    told_set["sets"] = {trait: path for trait, path in told_set["sets"].items() if trait != "secret"}
    events |= {"b": {"data": {**events["b"]["data"], **STRING}}, "set": told_set}
    events["opened"] = {"data": EVENTS["b"]["data"]}
    events["updated"] = {"data": {**EVENTS["set"]["data"], **SET_DATA}}
    for (name, told_as), each in zip(REACHING.items(), roles, strict=True):
        if each:
            events[name] = {**events[name], "reaches": {"roles": list(each), "as": told_as}}
    return {**files, "dictionary.yaml": {**dictionary, "events": events}}


@st.composite
def tied_histories(
    draw: DrawFn, grid: Grid, most: int = 24, links: Sequence[str] = (), bad: bool = True
) -> list[dict[str, Any] | bytes]:
    """Events and other lines, in arrival order. `links`: the types of link events and erasures that are among them."""

    def fresh(index: int, recorded: int, _: int) -> dict[str, Any]:
        return an_event(draw, grid, index, recorded, links)

    return lines_and_events(draw, grid, most, bad, 12, lambda event: event, fresh)


def an_event(draw: DrawFn, grid: Grid, index: int, recorded: int, links: Sequence[str]) -> dict[str, Any]:
    """Draw an event with an id of its own: mostly in time, sometimes late."""
    fate = draw(st.integers(0, 99))
    subjects, data = [*PEOPLE, *ORGANISATIONS], None
    if fate < 30:
        event_type, subjects = draw(st.sampled_from(["affiliation.started"] * 3 + ["affiliation.ended"])), PEOPLE
        data = {"organisation": draw(st.sampled_from(ORGANISATIONS)), "role": draw(st.sampled_from(ROLES))}
    elif fate < 65:
        event_type, subjects = draw(st.sampled_from([*REACHING])), ORGANISATIONS
        data = data_of(draw, REACHING[event_type], grid)
        data.pop("secret", None)
    elif fate < 85 and links:
        event_type = draw(st.sampled_from(links))
        data = {"canonical": draw(st.sampled_from(subjects))} if event_type == "identity.linked" else {}
    else:
        event_type = draw(st.sampled_from(["a", "b", "c", "set"]))
        data = data_of(draw, event_type, grid)
    late = draw(st.sampled_from([0, 0, 0, 0, 1, 3])) * grid.unit_ms
    return {
        "specversion": "1.0",
        "id": draw(st.sampled_from([f"e{index}", f"a{index}", f"z{index}"])),
        "source": "/s",
        "type": event_type,
        "subject": draw(st.sampled_from(subjects)),
        "time": written(recorded - late),
        "recordedtime": written(recorded),
        "data": data,
    }

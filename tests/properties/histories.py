"""Random histories: few subjects, few types, coarse times for many ties, and every kind of bad input."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.times import written
from tests.properties.activations import CHANNELS, INTENTS, JOURNEYS, NAMES
from tests.properties.drawing import COLORS, TAGS, TEXTS, Grid, chance

SUBJECTS = ["hcp:1", "lab:2"]
RECOGNISED_MS = 6 * 86_400_000
"""An event is repeated at most so long after its record: the engine recognises it for at least 7 days."""
BAD_LINES = [
    b"{",
    b"",
    b"  ",
    b"null",
    b'{"specversion":"1.0","id":"x","source":"/s","type":"nonesuch","subject":"hcp:1"}',
]


def number(draw: DrawFn) -> Any:
    """A number, or sometimes no value."""
    return draw(st.sampled_from([0, 1, 1.0, 2, 3, 0.1, 0.2, None]))


def data_of(draw: DrawFn, event_type: str, grid: Grid) -> Any:
    """Data for an event of a type; attributes may be missing."""
    fields: dict[str, Any] = {}
    if event_type in ("a", "b"):
        fields = {"n": number(draw), "t": draw(st.sampled_from([*TEXTS, ""]))}
        if event_type == "a":
            fields["at"] = draw(grid.instants())
        else:
            fields["tags"] = draw(st.lists(st.sampled_from(TAGS), max_size=2))
    elif event_type == "c":
        fields = {"vip": draw(st.sampled_from([True, False, None]))}
    elif event_type == "fill":
        days = grid.unit_ms / 86_400_000
        fields = {"days": draw(st.sampled_from([0, days, 2 * days, 2.5 * days, -1])), "ends": draw(grid.instants())}
    elif event_type == "set":
        fields = {
            "deep": {"color": draw(st.sampled_from([*COLORS, None]))},
            "level": number(draw),
            "rank": draw(st.sampled_from([0, 1, 2])),
            "vip": draw(st.booleans()),
            "due": draw(grid.instants()),
            "tags": draw(st.lists(st.sampled_from(TAGS), max_size=2)),
            "secret": draw(st.sampled_from(["x", "y"])),
        }
        if chance(draw, 35):
            return {"deep": fields["deep"]}
    elif event_type in ("consent.granted", "consent.withdrawn"):
        fields = {
            "channel": draw(st.sampled_from([*CHANNELS, "all", "all"])),
            "purpose": draw(st.sampled_from(["p", "all"])),
        }
    elif event_type == "message.replied":
        fields = {"channel": draw(st.sampled_from(CHANNELS)), "text": draw(st.sampled_from([" stop ", "yes"]))}
    elif event_type == "message.sent":
        fields = {
            "channel": draw(st.sampled_from(CHANNELS)),
            "journey": draw(st.sampled_from([*JOURNEYS, "two"])),
            "intent": draw(st.sampled_from(INTENTS)),
            "activation": draw(st.sampled_from(NAMES)),
        }
        if chance(draw, 80):
            return fields
    kept = (
        draw(st.sets(st.sampled_from(sorted(fields)), min_size=0 if fields and chance(draw, 30) else 1))
        if fields
        else set()
    )
    if event_type == "consent.granted":
        return {**fields, "until": draw(grid.instants())} if chance(draw, 40) else fields
    return {name: value for name, value in fields.items() if name in kept}


CONSENTS = ["consent.granted", "consent.withdrawn", "message.replied"]
TYPES = ["a", "a", "b", "b", "c", "c", "fill", "set", "set", *CONSENTS, "message.sent"]
CONTACTS = ["a", "b", "c", "set", *CONSENTS, *["message.sent"] * 3]
"""Events that move activations."""


@st.composite
def histories(draw: DrawFn, grid: Grid, most: int = 20, types: Sequence[str] = TYPES) -> list[bytes]:
    """Lines of a file, in arrival order."""
    lines: list[bytes] = []
    sent: list[tuple[int, dict[str, Any]]] = []
    at = 0
    for index in range(draw(st.integers(most // 2, most))):
        at = min(grid.span, at + draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3, 5])))
        recorded = grid.at(at)
        fate = draw(st.integers(0, 99))
        if fate < 6:
            lines.append(tick(recorded))
        elif fate < 9:
            lines.append(draw(st.sampled_from(BAD_LINES)))
        elif fate < 17 and (recent := [event for since, event in sent if recorded - since < RECOGNISED_MS]):
            lines.append(line({**draw(st.sampled_from(recent)), "recordedtime": written(recorded)}))
        else:
            event = an_event(draw, grid, index, recorded, types)
            sent.append((recorded, event))
            lines.append(line(event))
    return lines


def lines_and_events(
    draw: DrawFn,
    grid: Grid,
    most: int,
    bad: bool,
    again: int,
    repeated: Callable[[dict[str, Any]], dict[str, Any]],
    fresh: Callable[[int, int, int], dict[str, Any]],
) -> list[dict[str, Any] | bytes]:
    """Events that are not written yet, and other lines, in arrival order.

    `bad`: whether there are other lines. `again`: of 100 fates those below this one are redeliveries, which `repeated`
    may change. `fresh` draws an event by its number, the instant of its record, and its fate.
    """
    found: list[dict[str, Any] | bytes] = []
    sent: list[tuple[int, dict[str, Any]]] = []
    at = 0
    for index in range(draw(st.integers(most // 2, most))):
        at = min(grid.span, at + draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3])))
        recorded = grid.at(at)
        fate = draw(st.integers(0, 99))
        if bad and fate < 4:
            found.append(tick(recorded) if chance(draw, 60) else draw(st.sampled_from(BAD_LINES)))
            continue
        recent = [event for since, event in sent if recorded - since < RECOGNISED_MS]
        if fate < again and recent:
            event = repeated({**draw(st.sampled_from(recent)), "recordedtime": written(recorded)})
        else:
            event = fresh(index, recorded, fate)
        sent.append((recorded, event))
        found.append(event)
    return found


def an_event(
    draw: DrawFn,
    grid: Grid,
    index: int,
    recorded: int,
    types: Sequence[str] = TYPES,
    subjects: Sequence[str] = SUBJECTS,
) -> dict[str, Any]:
    """One event: late, ahead or in time; its record may be behind the clock."""
    event_type = draw(st.sampled_from(types))
    offset = draw(st.sampled_from([0, 0, 0, 0, -1, -2, -4])) * grid.unit_ms + draw(
        st.sampled_from([0] * 9 + [1, 5, -1])
    )
    if chance(draw, 2):
        offset = 300_000 + draw(st.integers(0, 1))
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": draw(st.sampled_from(["i", "j", f"e{index}", f"d{index}", f"f{index}"])),
        "source": draw(st.sampled_from(["/s", "/t"])),
        "type": event_type,
        "subject": draw(st.sampled_from(subjects)),
        "time": written(recorded + offset),
    }
    data = data_of(draw, event_type, grid)
    if data or event_type == "consent.granted":
        event["data"] = data
    if chance(draw, 2):
        event["data"] = {"n": "one"}
    if chance(draw, 92):
        behind = draw(st.sampled_from([0] * 12 + [1, 3])) * grid.unit_ms
        event["recordedtime"] = written(recorded - behind)
    return event


def tick(recorded: int) -> bytes:
    """A tick."""
    return line({"specversion": "1.0", "id": "t", "source": "/segue", "type": "segue.tick", "time": written(recorded)})


def line(value: Any) -> bytes:
    """Write a line."""
    return json.dumps(value, ensure_ascii=False).encode()

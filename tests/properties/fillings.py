"""Random fillings: histories of the cuts of a scene, true or not, in parts and again, and the records that end them."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.times import instant, written
from tests.properties.drawing import Grid, chance
from tests.properties.histories import SUBJECTS, TYPES, an_event, line

Own = tuple[int, str, dict[str, Any], str | None]
"""A record of Segue itself: its instant, its type, its data and its subject."""


def with_fillings(
    draw: DrawFn, grid: Grid, lines: Sequence[bytes], cuts: Sequence[int], types: Sequence[str] = TYPES
) -> list[bytes]:
    """Put the records of fillings among the lines of a file. `cuts`: the instants of the cuts that are made."""
    found = list(lines)
    for cut in cuts:
        if chance(draw, 90):
            records = [one for subject in SUBJECTS for one in histories_of(draw, grid, lines, subject, cut, types)]
            for record in [*draw(st.permutations(records)), *ends(draw, grid, cut)]:
                found.insert(place(draw, found, record[0]), own(*record))
    return found


def histories_of(
    draw: DrawFn, grid: Grid, lines: Sequence[bytes], subject: str, cut: int, types: Sequence[str]
) -> list[Own]:
    """Histories of one subject: what came before the cut, or something else."""
    beyond = 6 * grid.unit_ms if chance(draw, 10) else 0
    events = true_history(lines, subject, cut + beyond)
    if chance(draw, 25):
        events = [event for event in events if draw(st.booleans())]
    if chance(draw, 25):
        events += invented(draw, grid, subject, cut, types)
    parts = draw(st.integers(1, 3))
    dealt: list[list[Any]] = [[] for _ in range(parts)]
    for event in events:
        dealt[draw(st.integers(0, parts - 1))].append(event)
    if chance(draw, 15):
        dealt.append(draw(st.sampled_from(dealt)))
    return [(after(draw, grid, cut), "history", {"cut": cut, "events": part}, subject) for part in dealt]


def true_history(lines: Sequence[bytes], subject: str, cut: int) -> list[Any]:
    """List the events of a subject whose records came before a cut, good or bad, in record order."""
    events, clock = [], None
    for raw in lines:
        recorded = moment(raw)
        if recorded is not None:
            clock = recorded if clock is None else max(clock, recorded)
        if clock is not None and clock >= cut:
            break
        event = value_of(raw)
        if isinstance(event, dict) and event.get("subject") == subject:
            events.append(event)
    return events


def invented(draw: DrawFn, grid: Grid, subject: str, cut: int, types: Sequence[str]) -> list[Any]:
    """Events that no line has, mostly from before the cut, and mostly of the subject."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        event = an_event(draw, grid, number, cut - draw(st.integers(0, 6)) * grid.unit_ms, types)
        event |= {"id": f"h{number}", "subject": subject if chance(draw, 90) else draw(st.sampled_from(SUBJECTS))}
        found.append(draw(st.sampled_from([None, 1, {}, {**event, "id": ""}])) if chance(draw, 10) else event)
    return found


def ends(draw: DrawFn, grid: Grid, cut: int) -> list[Own]:
    """The records that say that a history is there: none, one or several, with any `since`."""
    found: list[Own] = []
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        more: dict[str, Any] = {}
        if chance(draw, 60):
            back = draw(st.integers(-1, 12)) * grid.unit_ms
            since = cut - back + draw(st.sampled_from([0, 0, 0, -300_000, 1, -1]))
            more = {"since": draw(st.sampled_from([since, since, since, None]))}
        other = draw(st.sampled_from([0] * 19 + [1])) * grid.unit_ms
        found.append((after(draw, grid, cut), "filled", {"cut": cut + other, **more}, None))
    return found


def after(draw: DrawFn, grid: Grid, cut: int) -> int:
    """An instant at a cut or after it, seldom before it."""
    return (
        cut + draw(st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8, -1])) * grid.unit_ms + draw(st.sampled_from([0, 0, 0, 1]))
    )


def own(at: int, name: str, data: dict[str, Any], subject: str | None) -> bytes:
    """Write a record of Segue itself."""
    named = {} if subject is None else {"subject": subject}
    return line({"type": f"segue.{name}", "recordedtime": written(at), **named, "data": data})


def place(draw: DrawFn, lines: Sequence[bytes], at: int) -> int:
    """Choose a place among the lines for a record at an instant: before or after the lines of that instant."""
    stamps = [moment(raw) for raw in lines]
    first = next((index for index, stamp in enumerate(stamps) if stamp is not None and stamp >= at), len(lines))
    last = next((index for index, stamp in enumerate(stamps) if stamp is not None and stamp > at), len(lines))
    return draw(st.integers(first, max(first, last)))


def value_of(raw: bytes) -> Any:
    """Read a line as JSON; None: it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def moment(raw: bytes) -> int | None:
    """Return the timestamp of a line's record."""
    value = value_of(raw)
    stamp = value.get("recordedtime", value.get("time")) if isinstance(value, dict) else None
    return instant(stamp) if isinstance(stamp, str) else None

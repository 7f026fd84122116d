"""Records of history and ends of fills, put into random scenes as a worker's log would have them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.engine.event_time import record_time
from tests.naive.times import instant, written
from tests.properties.drawing import Grid
from tests.properties.histories import line
from tests.properties.test_same import Scene, scenes


@dataclass(frozen=True)
class Fill:
    """The records that fill one cut, and the index of the line before which they stand."""

    place: int
    records: tuple[bytes, ...]


def clocks(lines: Sequence[bytes]) -> list[int]:
    """Return R of each line."""
    found: list[int] = []
    clock = -(1 << 53)
    for each in lines:
        recorded = record_time(each)
        clock = clock if recorded is None else max(clock, recorded)
        found.append(clock)
    return found


def events_of(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return what may be events, as JSON."""
    found = []
    for each in lines:
        try:
            event = json.loads(each)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("subject"), str):
            found.append(event)
    return found


def accepted(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the events that were not refused for being ahead; a fill leaves those out."""
    found = []
    for each, r_ms in zip(lines, clocks(lines), strict=True):
        for event in events_of([each]):
            time_ms = instant(event.get("time", ""))
            if time_ms is not None and time_ms <= r_ms + 300_000:
                found.append(event)
    return found


def without_twins(lines: Sequence[bytes]) -> list[bytes]:
    """Leave out events that share an identity with an earlier one: of different ones, either may count."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for each in lines:
        found = events_of([each])
        name = tuple(found[0].get(key) for key in ("subject", "time", "source", "id")) if found else ()
        if not name or name not in seen:
            kept.append(each)
        seen.add(name)
    return kept


def history(cut_ms: int, at_ms: int, subject: str, events: Sequence[dict[str, Any]]) -> bytes:
    """Write a record of history."""
    data = {"cut": cut_ms, "events": list(events)}
    return line({"type": "segue.history", "subject": subject, "recordedtime": written(at_ms), "data": data})


def filled(cut_ms: int, at_ms: int, since_ms: int | None) -> bytes:
    """Write the end of a fill."""
    data = {"cut": cut_ms, "since": since_ms}
    return line({"type": "segue.filled", "recordedtime": written(at_ms), "data": data})


def place_of(lines: Sequence[bytes], at_ms: int) -> int:
    """Return the index of the first line whose R is not before an instant: a cut stands before it."""
    return next((index for index, r_ms in enumerate(clocks(lines)) if r_ms >= at_ms), len(lines))


def with_fills(scene: Scene, fills: Sequence[Fill]) -> Scene:
    """Put the records of fills into a scene."""
    lines: list[bytes] = []
    for index in range(len(scene.lines) + 1):
        for fill in fills:
            if fill.place == index:
                lines += fill.records
        lines += scene.lines[index : index + 1]
    return replace(scene, lines=lines)


def fill_of(
    draw: DrawFn,
    scene: Scene,
    cut_ms: int,
    *,
    whole: bool,
) -> Fill:
    """Fill a cut: at a random place after it, in parts, some of them twice. `whole`: all of the history, from ever."""
    start = place_of(scene.lines, cut_ms)
    place = draw(st.integers(start, len(scene.lines)))
    at_ms = max(cut_ms, *clocks(scene.lines)[:place]) if place else cut_ms
    events = accepted(scene.lines[:start])
    if not whole:
        events = [event for event in events if draw(st.integers(0, 3))]
    records = []
    for subject in sorted({event["subject"] for event in events}):
        own = [event for event in events if event["subject"] == subject]
        middle = draw(st.integers(0, len(own)))
        parts = [part for part in (own[:middle], own[middle:]) if part]
        records += [history(cut_ms, at_ms, subject, part) for part in parts]
    records += draw(st.lists(st.sampled_from(records), max_size=2)) if records else []
    since = None if whole else draw(st.sampled_from([None, cut_ms, cut_ms - 1, *clocks(scene.lines)[:start]]))
    ends = [filled(cut_ms, at_ms, since)]
    if not whole and draw(st.booleans()):
        # what comes after the end; a second end, perhaps further back
        records, late = records[: len(records) // 2], records[len(records) // 2 :]
        ends += [*late, *([filled(cut_ms, at_ms, draw(st.sampled_from([None, cut_ms - 7_200_000])))])]
    return Fill(place, (*records, *ends))


@st.composite
def filled_scenes(draw: DrawFn, grid: Grid, cuts: int = 2, *, whole: bool = False) -> Scene:
    """A scene as a worker sees it, with its cuts filled; with `whole` every cut is, completely."""
    scene = replace(draw(scenes(grid, cuts=cuts)), as_live=True)
    scene = replace(scene, lines=without_twins(scene.lines))
    fills = [fill_of(draw, scene, cut_ms, whole=whole) for cut_ms, _ in scene.cuts if whole or draw(st.integers(0, 4))]
    return with_fills(scene, fills)

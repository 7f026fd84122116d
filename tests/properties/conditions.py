"""Random conditions that load: every kind, operator, window and group."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.naive.times import written
from tests.properties.drawing import COLORS, COUNTED, TAGS, TEXTS, Condition, Grid, chance


@dataclass(frozen=True)
class Place:
    """The place of a condition."""

    grid: Grid
    rule: str
    forgets: bool
    below: tuple[str, ...]
    """Segments that may be referred to."""


def string_test(draw: DrawFn, values: list[str]) -> Condition:
    """Operators on a text."""
    value = st.sampled_from(values)
    return draw(
        st.one_of(
            st.builds(lambda v: {"equals": v}, value),
            st.builds(lambda v: {"not_equals": v}, value),
            st.builds(lambda v: {"in": v}, st.lists(value, min_size=1, max_size=2)),
            st.builds(lambda v: {"not_in": [v]}, value),
            st.builds(lambda v: {"exists": v}, st.booleans()),
            st.builds(lambda v: {"contains": v[:1]}, value),
            st.builds(lambda v: {"starts_with": v[:1], "not_equals": v}, value),
            st.builds(lambda v: {"ends_with": v[-1:]}, value),
            st.builds(lambda v: {"matches": f"{v[:1]}.*"}, value),
        )
    )


def number_test(draw: DrawFn, most: int = 3) -> Condition:
    """Operators on a number."""
    value = st.integers(0, most)
    name = draw(st.sampled_from(["equals", "not_equals", "above", "at_least", "below", "at_most", "between", "exists"]))
    if name == "between":
        low = draw(value)
        return {name: [low, low + draw(st.integers(0, 2))]}
    return {name: draw(st.booleans()) if name == "exists" else draw(value)}


def datetime_test(draw: DrawFn, grid: Grid) -> Condition:
    """Operators on an instant."""
    name = draw(st.sampled_from(["older_than", "newer_than", "both", "above", "at_most", "equals", "exists"]))
    signed = st.builds(lambda sign, length: sign + length, st.sampled_from(["", "", "-"]), grid.lengths(1, 4))
    if name == "both":
        return {"older_than": draw(grid.lengths(1, 2)), "newer_than": draw(grid.lengths(3, 5))}
    if name in ("older_than", "newer_than"):
        return {name: draw(signed)}
    return {name: draw(st.booleans()) if name == "exists" else draw(grid.instants())}


def list_test(draw: DrawFn) -> Condition:
    """Operators on a list."""
    name = draw(st.sampled_from(["contains", "contains_any", "exists"]))
    if name == "contains_any":
        return {name: draw(st.lists(st.sampled_from(TAGS), min_size=1, max_size=2))}
    return {name: draw(st.booleans()) if name == "exists" else draw(st.sampled_from(TAGS))}


def trait_test(draw: DrawFn, grid: Grid) -> Condition:
    """A trait and operators of its type."""
    name = draw(st.sampled_from(["color", "color", "level", "rank", "vip", "due", "tags"]))
    tests: dict[str, Callable[[], Condition]] = {
        "color": lambda: string_test(draw, COLORS),
        "level": lambda: number_test(draw),
        "rank": lambda: number_test(draw),
        "vip": lambda: draw(st.sampled_from([{"equals": True}, {"not_equals": True}, {"exists": False}])),
        "due": lambda: datetime_test(draw, grid),
        "tags": lambda: list_test(draw),
    }
    return {"trait": name, **tests[name]()}


def types(draw: DrawFn) -> Any:
    """A type or a list of types."""
    if chance(draw, 75):
        return draw(st.sampled_from(COUNTED))
    return draw(st.lists(st.sampled_from(COUNTED), min_size=1, max_size=2, unique=True))


def where(draw: DrawFn, event: Any, grid: Grid, percent: int = 30) -> Condition:
    """A `where` for types that have the attributes, or nothing."""
    named = [event] if isinstance(event, str) else event
    if not chance(draw, percent) or "c" in named:
        return {}
    kinds = ["n", "t", "at"] if named == ["a"] else ["n", "t"]
    name = draw(st.sampled_from(kinds))
    if name == "n":
        return {"where": {"n": number_test(draw)}}
    return {"where": {name: string_test(draw, TEXTS) if name == "t" else datetime_test(draw, grid)}}


def since(draw: DrawFn, place: Place) -> Condition:
    """Which events count: from a mark, from a date, or by default."""
    choices: list[SearchStrategy[str]] = [st.just("ever"), place.grid.instants()]
    if place.rule == "exit":
        choices += [st.just("entry"), st.just("entry"), st.just("entry")]
    elif place.forgets:
        choices.append(st.just("exit"))
    return {"since": draw(st.one_of(choices))} if chance(draw, 60 if place.rule == "exit" else 25) else {}


def window(draw: DrawFn, place: Place, percent: int = 70) -> Condition:
    """A window, with any of its optional keys."""
    found = since(draw, place)
    if chance(draw, percent):
        found["within"] = draw(place.grid.lengths(2, 6))
    if chance(draw, 10):
        found["older_than"] = draw(place.grid.lengths(1, 1))
    if chance(draw, 5) and found.get("since") in (None, "entry", "exit", "ever"):
        found["until"] = draw(place.grid.instants())
    return found


def count(draw: DrawFn) -> Condition:
    """A count, or the default."""
    k = st.integers(1, 3)
    return draw(
        st.one_of(
            st.just({}),
            st.builds(lambda n: {"count": {"at_least": n}}, k),
            st.builds(lambda n: {"count": {"at_most": n - 1}}, k),
            st.builds(lambda n: {"count": {"exactly": n - 1}}, k),
            st.builds(lambda n: {"count": {"between": [n, n + 1]}}, k),
            st.builds(lambda n: {"count": {"at_least": n, "at_most": 3}}, k),
        )
    )


def event_condition(draw: DrawFn, place: Place) -> Condition:
    """Event."""
    event = types(draw)
    bucket = {"bucket": draw(place.grid.lengths(1, 3))} if chance(draw, 12) else {}
    return {"event": event, **where(draw, event, place.grid), **count(draw), **window(draw, place), **bucket}


def last_condition(draw: DrawFn, place: Place) -> Condition:
    """Last."""
    event = draw(st.sampled_from(["a", "b", ["a", "b"]]))
    tests = draw(st.sampled_from(["n", "t", "at"])) if event == "a" else draw(st.sampled_from(["n", "t"]))
    asked = {
        "n": lambda: number_test(draw),
        "t": lambda: string_test(draw, TEXTS),
        "at": lambda: datetime_test(draw, place.grid),
    }[tests]()
    return {"last": event, "is": {tests: asked}, **where(draw, event, place.grid), **window(draw, place, 40)}


def absent_condition(draw: DrawFn, place: Place) -> Condition:
    """Absent."""
    event = types(draw)
    return {"absent": event, **where(draw, event, place.grid), "within": draw(place.grid.lengths(1, 5))}


def aggregate_condition(draw: DrawFn, place: Place) -> Condition:
    """Aggregate."""
    how = draw(st.sampled_from(["sum", "sum", "min", "max", "mean", "distinct", "distinct-tags", "max-at"]))
    common = {**window(draw, place), **({"bucket": draw(place.grid.lengths(2, 2))} if chance(draw, 10) else {})}
    if how == "distinct-tags":
        return {"aggregate": "distinct", "of": "tags", "event": "b", **number_test(draw), **common}
    if how == "max-at":
        tests = datetime_test(draw, place.grid)
        tests.pop("older_than", None)
        return {
            "aggregate": draw(st.sampled_from(["min", "max"])),
            "of": "at",
            "event": "a",
            "exists": True,
            **tests,
            **common,
        }
    of = draw(st.sampled_from(["n", "t"])) if how == "distinct" else "n"
    event = draw(st.sampled_from(["a", "b", ["a", "b"]]))
    return {
        "aggregate": how,
        "of": of,
        "event": event,
        **where(draw, event, place.grid),
        **number_test(draw, 5),
        **common,
    }


def step(draw: DrawFn, place: Place, first: bool) -> Any:
    """A step of a sequence."""
    event = types(draw)
    if first or chance(draw, 40):
        return event if chance(draw, 60) else {"event": event, **where(draw, event, place.grid)}
    if chance(draw, 40):
        inner = event if chance(draw, 60) else {"event": event, **where(draw, event, place.grid, 60)}
        return {"not": inner, "within": draw(place.grid.lengths(1, 3))}
    found: Condition = {"event": event, **where(draw, event, place.grid)}
    if chance(draw, 60):
        found["within"] = draw(place.grid.lengths(3, 4))
    if chance(draw, 40):
        found["after"] = draw(place.grid.lengths(1, 2))
    return found


def sequence_condition(draw: DrawFn, place: Place) -> Condition:
    """Sequence."""
    steps = [step(draw, place, index == 0) for index in range(draw(st.integers(1, 4)))]
    return {"sequence": steps, "within": draw(place.grid.lengths(3, 9)), **since(draw, place)}


def covered_condition(draw: DrawFn, place: Place) -> Condition:
    """Covered."""
    found: Condition = {"covered": "fill"}
    if chance(draw, 75):
        found["days"] = "days"
        found |= draw(st.sampled_from([{}, {"overlap": "add"}, {"overlap": "merge"}]))
    else:
        found["until"] = "ends"
    if chance(draw, 40):
        found["gap"] = draw(place.grid.lengths(1, 2))
    return found | since(draw, place)


def score_condition(draw: DrawFn, place: Place, depth: int) -> Condition:
    """Score."""
    parts: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        if chance(draw, 35):
            when = condition(draw, place, depth + 1)
            parts.append({"when": when, "points": draw(st.sampled_from([-1, 1, 2, 0.5]))})
            continue
        event = types(draw)
        part: Condition = {"event": event, **where(draw, event, place.grid), **since(draw, place)}
        part["points"] = draw(st.sampled_from([1, 2, 0.1, 3]))
        if chance(draw, 60):
            part["half_life"] = draw(place.grid.lengths(1, 4))
            if chance(draw, 20):
                part["bucket"] = draw(place.grid.lengths(1, 2))
        parts.append(part)
    return {"score": parts, "at_least": draw(st.sampled_from([0.5, 1, 1.5, 2, 3, 0]))}


def held_condition(draw: DrawFn, place: Place) -> Condition:
    """Held."""
    return {**trait_test(draw, place.grid), "for": draw(place.grid.lengths(1, 4))}


def changed_condition(draw: DrawFn, place: Place) -> Condition:
    """Changed."""
    found: Condition = {"changed": "color", "within": draw(place.grid.lengths(1, 5))}
    sides: Condition = draw(
        st.sampled_from(
            [{}, {"from": "red"}, {"to": "red"}, {"from": None}, {"to": None}, {"from": "red", "to": "green"}]
        )
    )
    return found | sides


def segment_condition(draw: DrawFn, place: Place) -> Condition:
    """Segment if there is one below, else a trait."""
    if not place.below:
        return trait_test(draw, place.grid)
    held = {"for": draw(place.grid.lengths(1, 3))} if chance(draw, 50) else {}
    return {"segment": draw(st.sampled_from(place.below)), **held}


def consent_condition(draw: DrawFn, place: Place) -> Condition:
    """Consent."""
    said = draw(st.sampled_from([{}, {"is": "granted"}, {"is": "withdrawn"}, {"is": "unknown"}]))
    return {"consent": {"channel": draw(st.sampled_from(["email", "sms"])), "purpose": "p"}, **said}


def during_condition(draw: DrawFn, place: Place) -> Condition:
    """During."""
    start = draw(st.integers(-2, place.grid.span))
    ends = {
        "from": written(place.grid.at(start)),
        "until": written(place.grid.at(start + draw(st.integers(1, 9)))),
    }
    kept = draw(st.sampled_from([("from",), ("until",), ("from", "until")]))
    return {"during": {name: ends[name] for name in kept}}


def condition(draw: DrawFn, place: Place, depth: int = 0) -> Condition:
    """Any condition."""
    kinds: dict[str, Callable[[], Condition]] = {
        "event": lambda: event_condition(draw, place),
        "event again": lambda: event_condition(draw, place),
        "trait": lambda: trait_test(draw, place.grid),
        "held": lambda: held_condition(draw, place),
        "changed": lambda: changed_condition(draw, place),
        "last": lambda: last_condition(draw, place),
        "absent": lambda: absent_condition(draw, place),
        "aggregate": lambda: aggregate_condition(draw, place),
        "sequence": lambda: sequence_condition(draw, place),
        "covered": lambda: covered_condition(draw, place),
        "segment": lambda: segment_condition(draw, place),
        "consent": lambda: consent_condition(draw, place),
        "during": lambda: during_condition(draw, place),
        "everyone": lambda: {"everyone": True},
        "score": lambda: score_condition(draw, place, depth) if depth < 2 else event_condition(draw, place),
    }
    return kinds[draw(st.sampled_from(sorted(kinds)))]()


def rule(draw: DrawFn, place: Place, depth: int = 0) -> Condition:
    """A condition or a group."""
    if depth >= 2 or chance(draw, 55):
        return condition(draw, place)
    inner = [rule(draw, place, depth + 1) for _ in range(draw(st.integers(1, 3)))]
    kind = draw(st.sampled_from(["all", "any", "none", "at_least_of"]))
    if kind == "at_least_of":
        return {kind: {"n": draw(st.integers(1, len(inner))), "of": inner}}
    return {kind: inner}

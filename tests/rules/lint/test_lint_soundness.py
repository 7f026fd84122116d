"""Lint never calls impossible what happens: random rules that often contradict themselves, over random histories."""

import json
import os
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.lint.check import lint
from rules.lint.evidence import check_evidence
from tests.naive.times import instant
from tests.properties.catalogues import DICTIONARY, Condition, Grid, Place, catalogues, condition
from tests.properties.histories import histories
from tests.transcripts.implementations import compiled, engine
from tests.transcripts.transcript import Files

EXAMPLES = int(os.environ.get("SEGUE_EXAMPLES", "60"))
START = instant("2026-03-01")
assert START is not None
GRID = Grid("h", START, 40)
UNTIL = GRID.at(70)
CHECKS = settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))


def impossible(files: Files) -> tuple[set[str], set[str]]:
    """Return the segments that nobody can enter, and the ones that nobody can leave by a rule, as lint says."""
    empty: set[str] = set()
    stuck: set[str] = set()
    for warning in lint(compiled(files)):
        name = warning.file.removeprefix("segments/").removesuffix(".yaml")
        if warning.code in ("never-enters", "exit-at-entry", "parent-audience"):
            empty.add(name)
        elif warning.code == "exit-never-fires":
            stuck.add(name)
    return empty, stuck


def check(files: Files, lines: list[bytes]) -> None:
    """Replay, and check that nothing happens which lint calls impossible."""
    empty, stuck = impossible(files)
    changes, _ = engine(files, lines, [], UNTIL, False)
    for value in map(json.loads, changes):
        note(f"{value}")
        if value["change"] == "entered":
            assert value["segment"] not in empty
        elif value["reason"]["kind"] == "exit_rule":
            assert value["segment"] not in stuck


def said_of_returns(files: Files) -> tuple[set[str], dict[tuple[str, str], frozenset[str]]]:
    """Return what lint says of second stays.

    The segments that nobody enters twice; and (segment, condition) → the event types that the condition counts, for
    each condition that lint says counts only events after an exit.
    """
    once: set[str] = set()
    counted: dict[tuple[str, str], frozenset[str]] = {}
    for found in check_evidence(compiled(files)):
        segment, path = found.root["segment"], found.path
        if found.code == "never-again" and path == ("enter",) and "until" not in found.root["enter"]:
            once.add(segment)
        else:
            leaf = found.root
            for key in path:
                leaf = leaf[key]
            names = leaf["event"] if "event" in leaf else leaf["last"] if "last" in leaf else leaf["covered"]
            written = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")
            counted[segment, written] = frozenset([names] if isinstance(names, str) else names)
    return once, counted


def check_returns(files: Files, lines: list[bytes], said: Counter[str]) -> None:
    """Replay, and check that a second stay begins only as lint says."""
    once, counted = said_of_returns(files)
    said.update(once=len(once), counted=len(counted))
    if not once and not counted:
        return
    left: dict[tuple[str, str], int] = {}
    changes, _ = engine(files, lines, [], UNTIL, False)
    for change in map(json.loads, changes):
        if "segment" not in change:
            continue
        note(f"{change}")
        place, at = (change["segment"], change["profile"]), instant(change["effective_at"])
        assert at is not None
        if change["reason"]["kind"] in ("exit_rule", "max_stay"):
            left[place] = at
        elif change["change"] == "entered" and place in left:
            assert change["segment"] not in once
            for path in change["reason"]["conditions"]:
                if (types := counted.get((change["segment"], path))) is not None:
                    said.update(returned=1)
                    assert any(came(line, change["profile"], types, left[place]) for line in lines)


def came(line: bytes, subject: str, types: frozenset[str], since: int) -> bool:
    """Tell whether a line is an event of a subject, of one of the types, whose record stands at an instant or later."""
    try:
        event = json.loads(line)
        recorded = instant(event.get("recordedtime", event.get("time")))
    except (AttributeError, TypeError, ValueError):
        return False
    # a record behind the clock stands at the clock: a few units at most
    late = GRID.unit_ms * 3
    return (
        event.get("subject") == subject
        and event.get("type") in types
        and recorded is not None
        and recorded + late >= since
    )


RETURNS: Counter[str] = Counter()


@CHECKS
@given(catalogues(GRID), histories(GRID))
def test_a_second_stay_begins_only_as_lint_says(files: Files, lines: list[bytes]) -> None:
    note(f"{files!r}")
    check_returns(files, lines, RETURNS)


@st.composite
def traps(draw: DrawFn) -> Files:
    """A segment that its evidence, its exit and what gives way make a trap more often than not."""
    evidence: Condition = {"event": draw(st.sampled_from(["a", ["a", "b"]])), "within": draw(GRID.lengths(3, 9))}
    gone = {"none": [{"covered": "fill", "days": "days"}]} if draw(st.booleans()) else {"absent": "a", "within": "2h"}
    if draw(st.booleans()):
        evidence["event"] = ["a", "fill"]
    old = {**evidence, "older_than": "1h"}
    enter: Condition = draw(st.sampled_from([{"all": [evidence, gone]}, evidence, {"everyone": True}, old]))
    endings: list[Condition] = [{"event": ["a", "fill"]}, {"covered": "fill", "days": "days"}, {"event": "b"}]
    leave = draw(st.sampled_from(endings))
    found: Condition = {"segment": "s", "version": 1, "status": "approved", "enter": enter}
    return {"dictionary.yaml": DICTIONARY, "segments/s.yaml": found | {"exit": {**leave, "since": "entry"}}}


@CHECKS
@given(traps(), histories(GRID, types=["a", "b", "fill"]))
def test_a_second_stay_of_a_trap_begins_only_as_lint_says(files: Files, lines: list[bytes]) -> None:
    note(f"{files!r}")
    check_returns(files, lines, RETURNS)


def test_returns_were_among_them() -> None:
    assert not RETURNS or min(RETURNS["once"], RETURNS["counted"], RETURNS["returned"]) > 0


@CHECKS
@given(catalogues(GRID), histories(GRID))
def test_what_lint_calls_impossible_does_not_happen(files: Files, lines: list[bytes]) -> None:
    note(f"{files!r}")
    check(files, lines)


def tightened(draw: DrawFn, pool: list[Condition]) -> Condition:
    """Draw a rule over a few conditions, each perhaps denied: often it contradicts itself."""
    chosen = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=4))
    parts = [{"none": [one]} if draw(st.booleans()) else one for one in chosen]
    if draw(st.booleans()):
        parts = [*parts[1:], {"any": [parts[0], draw(st.sampled_from(pool))]}]
    return {draw(st.sampled_from(["all", "all", "all", "any", "none"])): parts}


@st.composite
def contradictions(draw: DrawFn) -> Files:
    """Segments whose rules are made of the same few conditions."""
    files: Files = {"dictionary.yaml": DICTIONARY, "policy.yaml": {"market_trait": "color"}}
    below: tuple[str, ...] = ()
    kinds = [condition(draw, Place(GRID, "enter", False, ())) for _ in range(2)]
    alike = [_varied(draw, kind) for kind in kinds]
    for name in ("s", "t", "u", "v"):
        pool = [each for each in (*kinds, *alike) if each.get("since") != "exit"]
        pool += [{"segment": other} for other in below[:1]]
        found: dict[str, Any] = {"segment": name, "version": 1, "status": "approved", "enter": tightened(draw, pool)}
        if draw(st.integers(0, 3)) == 0:
            found["exit"] = tightened(draw, pool)
        if below and draw(st.integers(0, 3)) == 0:
            found["parent"] = below[0]
        if draw(st.integers(0, 3)) == 0:
            found["markets"] = [draw(st.sampled_from(["red", "green"]))]
        files[f"segments/{name}.yaml"] = found
        below = (*below, name)
    return files


def _varied(draw: DrawFn, raw: Condition) -> Condition:
    """Return the same condition in another measure: a longer window, another operand."""
    varied = dict(raw)
    for key, value in raw.items():
        if key in ("within", "for") and "sequence" not in raw and "older_than" not in raw:
            varied[key] = draw(GRID.lengths(2, 8))
        elif key == "count":
            varied[key] = {"at_least": draw(st.integers(0, 3))}
        elif key in ("above", "at_least", "below", "at_most") and isinstance(value, int):
            varied[key] = draw(st.integers(0, 3))
    return varied


SEEN: Counter[str] = Counter()


@CHECKS
@given(contradictions(), histories(GRID))
def test_what_contradicts_itself_does_not_happen(files: Files, lines: list[bytes]) -> None:
    note(f"{files!r}")
    empty, stuck = impossible(files)
    SEEN.update(empty=len(empty), stuck=len(stuck), all=4)
    check(files, lines)


def test_contradictions_were_among_them() -> None:
    assert SEEN["all"] == 0 or SEEN["empty"] > 10

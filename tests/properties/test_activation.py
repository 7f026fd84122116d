"""Activations: the engine equals the naive evaluator, the examples contain every kind of change, and laws hold."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from streams.partition import wake_pages
from tests.naive.reading import journey_of
from tests.naive.times import instant
from tests.properties.activations import FOCI, GROUPS
from tests.properties.batches import Batched
from tests.properties.catalogues import values_of
from tests.properties.drawing import Condition
from tests.properties.test_same import EXAMPLES, HOURS, PATIENCE_S, SEED, Scene, checks, contact_scenes, same, tell
from tests.transcripts.implementations import engine
from tests.transcripts.transcript import Files

pytestmark = pytest.mark.timeout(PATIENCE_S)
SHARES = dict.fromkeys(FOCI, 5) | {"exclusive_group": 1, "market": 2, "consent": 4}
"""The share of the examples that each focus gets: one in so many. Each share is as large as its focus needs."""
ENOUGH = (SEED == 1 and EXAMPLES == 40) or EXAMPLES >= 400
"""Whether every kind of change must occur: true in the default run, which never varies, and in a long run."""
SEEN = {focus: {focus, f"was {focus}"} for focus in FOCI if focus not in ("definition_changed", "anything")}
SEEN["retired"] |= {"retired, gone", "retired, moved", "retired, not approved"}
SEEN["definition_changed"] = {f"another {name}" for name in ("activation_version", "journey", "content", "arm")}
SEEN["exclusive_group"] |= {"preempt decides", "exclusive_group with no cut"}
"""The kinds of change that must occur among the examples of a focus."""


def in_force(scene: Scene, change: Condition) -> Files:
    """Return the catalogue under which a change was made."""
    at = instant(change["effective_at"])
    assert at is not None
    return [scene.files, *(files for since, files in scene.cuts if since <= at)][-1]


def occurrences(scene: Scene, changes: Sequence[bytes]) -> Iterator[str]:
    """Name the notable facts in each change of an activation."""
    last: dict[tuple[str, str], Condition] = {}
    cuts = {at for at, _ in scene.cuts}
    for change in map(json.loads, changes):
        if "segment" in change:
            continue
        kind, place = change["reason"]["kind"], (change["profile"], change["activation"])
        yield kind
        if change["change"] == "activated":
            yield f"was {change['reason']['was']}"
        if kind == "definition_changed":
            yield from (f"another {name}" for name in last[place] if change[name] != last[place][name])
        if kind == "retired":
            now = in_force(scene, change).get(f"activations/{change['activation']}.yaml")
            moved = now is not None and now["channel"] != change["channel"]
            yield f"retired, {'gone' if now is None else 'moved' if moved else 'not approved'}"
        if instant(change["effective_at"]) not in cuts:
            yield f"{kind} with no cut"
        last[place] = change


def all_preempt(scene: Scene, preempt: bool) -> Scene:
    """Make every group of a scene preempt, or none of them."""

    def said(files: Files) -> Files:
        groups = {group: {"preempt": preempt} for group in GROUPS}
        return {**files, "policy.yaml": {**files["policy.yaml"], "exclusive_groups": groups}}

    return replace(scene, files=said(scene.files), cuts=[(at, said(files)) for at, files in scene.cuts])


@pytest.mark.parametrize("focus", FOCI)
def test_engine_activates_as_the_naive_evaluator_does(focus: str) -> None:
    seen = Counter[str]()

    @given(contact_scenes(HOURS, focus))
    def compare(scene: Scene) -> None:
        if focus != "exclusive_group":
            seen.update(occurrences(scene, same(scene)))
            return
        one, other = all_preempt(scene, True), all_preempt(scene, False)
        found = same(one)
        seen.update(occurrences(scene, found))
        otherwise, _ = engine(other.files, other.lines, other.cuts, other.until, other.as_live)
        if found != otherwise:
            same(other)
            seen["preempt decides"] += 1

    checks(compare, SHARES[focus])()
    if ENOUGH:
        assert {name for name in SEEN.get(focus, ()) if not seen[name]} == set()


# ---------------------------------------------------------------- laws


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_pages, "PAGE", 2)
    monkeypatch.setattr(wake_pages, "LOOKAHEAD_MS", 1)


@given(contact_scenes(HOURS), st.sets(st.integers(1, 20)))
def batching_changes_no_activation(scene: Scene, boundaries: set[int]) -> None:
    tell(scene)
    note(f"boundaries={sorted(boundaries)}")
    whole, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    assert Batched(scene.files, scene.cuts, boundaries).run(scene.lines, scene.until) == whole


def test_batching_changes_no_activation() -> None:
    checks(batching_changes_no_activation, 3)()


def evaluations(changes: Sequence[bytes]) -> Iterator[list[Condition]]:
    """Group the published changes by their evaluation: by profile, instant and event.

    Two events of one source and id at one instant would look like one: `unambiguous` rules such scenes out.
    """
    found = map(json.loads, changes)
    for _, group in groupby(found, lambda one: (one["profile"], one["effective_at"], one["reason"]["events"])):
        yield list(group)


def unambiguous(scene: Scene) -> Scene:
    """Give every event of a scene its own id; a redelivery becomes a new event."""
    lines = []
    for number, raw in enumerate(scene.lines):
        try:
            value: Any = json.loads(raw)
        except ValueError:
            value = None
        named = isinstance(value, dict) and "id" in value
        lines.append(json.dumps({**value, "id": f"{value['id']}-{number}"}).encode() if named else raw)
    return replace(scene, lines=lines)


def rank_in_evaluation(change: Condition) -> tuple[int, str]:
    """Return the place of a change in its evaluation: memberships, then stops by id, then starts by id."""
    if "segment" in change:
        return 0, ""
    return (1, change["activation"]) if change["change"] == "deactivated" else (2, change["activation"])


@given(contact_scenes(HOURS).map(unambiguous))
def one_evaluation_tells_memberships_then_what_stops_then_what_starts(scene: Scene) -> None:
    tell(scene)
    changes, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    for evaluation in evaluations(changes):
        ranks = [rank_in_evaluation(change) for change in evaluation]
        assert ranks == sorted(ranks)
        acted = [rank for rank in ranks if rank[0]]
        assert len(set(acted)) == len(acted)


def test_one_evaluation_tells_memberships_then_what_stops_then_what_starts() -> None:
    checks(one_evaluation_tells_memberships_then_what_stops_then_what_starts, 3)()


def journeys_by_group(active: set[str], files: Files) -> dict[str, set[str]]:
    """Map each group to the journeys of its active activations."""
    found = defaultdict[str, set[str]](set)
    for one in values_of(files, "activations"):
        if one["activation"] in active and "exclusive_group" in one:
            found[one["exclusive_group"]].add(journey_of(one))
    return found


@given(contact_scenes(HOURS).map(unambiguous))
def no_profile_is_active_in_two_journeys_of_a_group(scene: Scene) -> None:
    tell(scene)
    changes, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    active = defaultdict[str, dict[str, Condition]](dict)
    counts = Counter[tuple[str, str]]()
    stopped: dict[tuple[str, str], str] = {}
    for evaluation in evaluations(changes):
        for number, change in enumerate(evaluation, 1):
            if "segment" in change:
                continue
            profile, name, reason = change["profile"], change["activation"], change["reason"]
            counts[profile, change["channel"]] += 1
            assert change["sequence"] == counts[profile, change["channel"]]
            before = active[profile].pop(name, None)
            if change["change"] == "activated":
                active[profile][name] = change
                assert (before is not None) == (reason["kind"] == "definition_changed")
                assert reason["was"] == stopped.get((profile, name))
            else:
                assert before is not None
                assert before["channel"] == change["channel"]
                stopped[profile, name] = reason["kind"]
            # in one evaluation all stops come before any start: a cut may put several active activations into one group
            if change["change"] == "activated" or number == len(evaluation):
                found = journeys_by_group(set(active[profile]), in_force(scene, change))
                assert all(len(journeys) == 1 for journeys in found.values())


def test_no_profile_is_active_in_two_journeys_of_a_group() -> None:
    checks(no_profile_is_active_in_two_journeys_of_a_group, 3)()

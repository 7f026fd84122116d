"""Limits of the engine: wakes passed by a record, time for which a redelivery is recognised, entries remembered."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.engine import partition
from rules.engine.partition import PUBLISHING_WAKES_MAX
from tests.naive.replay import WAKES_MAX
from tests.naive.times import written
from tests.properties.batches import Batched
from tests.properties.drawing import Condition
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, same
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

HOUR, START = HOURS.unit_ms, HOURS.start
pytestmark = pytest.mark.timeout(PATIENCE_S)
DICTIONARY: Condition = {"traits": {}, "events": {"v": {"data": {"n": {"type": "number"}}}, "w": {}}}
SUBJECTS = 12
FEW = 4


def segment(name: str, enter: Condition) -> Condition:
    """Give a segment."""
    return {"segment": name, "version": 1, "status": "approved", "enter": enter}


def files(*segments: Condition) -> Files:
    """Give a catalogue."""
    return {"dictionary.yaml": DICTIONARY} | {f"segments/{each['segment']}.yaml": each for each in segments}


def event(
    name: str, at: int, subject: str = "hcp:1", type_: str = "v", recorded: int | None = None, **data: Any
) -> bytes:
    """Give the line of an event."""
    stamp = written(at if recorded is None else recorded)
    value = {"specversion": "1.0", "id": name, "source": "/s", "type": type_, "subject": subject, "time": written(at)}
    return json.dumps({**value, "recordedtime": stamp, "data": data}).encode()


def tick(at: int) -> bytes:
    """Give the line of a tick."""
    return json.dumps({"type": "segue.tick", "recordedtime": written(at)}).encode()


def own(at: int, name: str, cut: int, **more: Any) -> bytes:
    """Give the line of a record of Segue itself."""
    subject = {"subject": more.pop("subject")} if "subject" in more else {}
    data = {"cut": cut, **more}
    return json.dumps({"type": f"segue.{name}", "recordedtime": written(at), **subject, "data": data}).encode()


CATALOGUES = (
    files(segment("s", {"event": "v", "within": "1h"})),
    files(segment("s", {"event": "v", "within": "2h"}), segment("t", {"everyone": True})),
    files(segment("s", {"event": "v", "within": "1h"}), segment("t", {"event": "w"})),
)


@st.composite
def crowds(draw: DrawFn, fills: bool = False) -> Scene:
    """Many profiles whose wakes fall due together, and records of all kinds that pass those wakes.

    `fills`: cuts have no history, and among the records are those that bring it.
    """
    lines = [event(f"e{k}", START, f"hcp:{k:02}") for k in range(SUBJECTS)]
    at, cuts = START, list[tuple[int, Files]]()
    for k in range(draw(st.integers(3, 14))):
        at += draw(st.sampled_from([0, 0, 1, HOUR // 2, HOUR]))
        if draw(st.integers(0, 4)) == 0 and (not cuts or cuts[-1][0] < at):
            cuts.append((at, draw(st.sampled_from(CATALOGUES))))
        number = draw(st.integers(0, SUBJECTS - 1))
        subject = f"hcp:{number:02}"
        lines.append(
            draw(
                st.sampled_from(
                    [
                        tick(at),
                        b'{"a":1}',
                        event(f"e{number}", START, subject, recorded=at),
                        event(f"n{k}", at, subject, "nonesuch"),
                        event(f"n{k}", at, subject, "v"),
                        event(f"n{k}", at - HOUR // 4, subject, "w", recorded=at),
                        *(filling(at, cuts[-1][0], subject) if fills and cuts else []),
                    ]
                )
            )
        )
    return Scene(CATALOGUES[0], lines, cuts, as_live=fills)


def filling(at: int, cut: int, subject: str) -> list[bytes]:
    """Give records that bring the history of a cut."""
    events = [json.loads(event(f"h{k}", cut - k * HOUR // 2, subject, "vw"[k % 2])) for k in range(3)]
    return [
        own(at, "history", cut, subject=subject, events=events),
        own(at, "history", cut, subject=subject, events=[]),
        own(at, "filled", cut, since=cut - HOUR),
        own(at, "filled", cut),
    ]


@checks
@given(crowds() | crowds(fills=True))
def test_a_record_passes_so_many_wakes_that_publish_and_no_more(scene: Scene) -> None:
    assert WAKES_MAX == PUBLISHING_WAKES_MAX == 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["tests.naive.replay"], "WAKES_MAX", FEW)
        patch.setattr(partition, "PUBLISHING_WAKES_MAX", FEW)
        same(scene)


@pytest.mark.parametrize("boundaries", [set(), {2}, {1, 2, 3}])
def test_a_restart_changes_nothing_of_a_redelivery_after_more_than_a_week(boundaries: set[int]) -> None:
    day = 24 * HOUR
    catalogue = files(
        segment("joined", {"event": "v", "count": {"at_least": 2}, "bucket": "1h"}),
        segment("within", {"event": "v", "within": "10d"}),
    )
    lines = [event("a", START), event("k", START + 9 * day, type_="w"), event("a", START, recorded=START + 10 * day)]
    whole, _ = engine(catalogue, lines, (), None, True)
    assert Batched(catalogue, [], boundaries).run(lines, None) == whole
    assert [json.loads(change)["segment"] for change in whole] == ["within", "within"]


def test_a_condition_remembers_the_latest_512_and_a_bucket_all() -> None:
    catalogue = files(
        segment("bucket", {"event": "v", "count": {"at_least": 520}, "bucket": "1h"}),
        segment("fits", {"event": "v", "count": {"at_least": 512}}),
        segment("more", {"event": "v", "count": {"at_least": 513}}),
        segment("sum", {"aggregate": "sum", "of": "n", "event": "v", "at_least": 513}),
    )
    lines = [event(f"a{k}", START + k, n=1) for k in range(520)]
    expected, _ = naive(catalogue, lines, (), None, False)
    found, _ = engine(catalogue, lines, (), None, False)
    assert found == expected
    assert [json.loads(change)["segment"] for change in found] == ["fits", "bucket"]


@pytest.mark.parametrize("boundaries", [set(), {2}, {1, 2, 3, 4, 5, 6}])
def test_of_a_history_the_latest_512_are_remembered_and_of_a_bucket_all(boundaries: set[int]) -> None:
    segments = (
        segment("bucket", {"event": "v", "count": {"at_least": 520}, "bucket": "1h"}),
        segment("distinct", {"aggregate": "distinct", "of": "n", "event": "v", "at_least": 512}),
        segment("fits", {"event": "v", "count": {"at_least": 512}}),
        segment("more", {"event": "v", "count": {"at_least": 513}}),
        segment("sum", {"aggregate": "sum", "of": "n", "event": "v", "at_least": 131_000}),
        segment("sum-of-latest", {"aggregate": "sum", "of": "n", "event": "v", "equals": sum(range(9, 521))}),
    )
    cut = START + HOUR
    before = [json.loads(event(f"a{k}", START + k, n=k)) for k in range(1, 520)]
    parts = [before[300:], before[:200], before[150:350]]
    lines = [
        event("w", START, type_="w"),
        *(own(cut + k, "history", cut, subject="hcp:1", events=part) for k, part in enumerate(parts)),
        event("last", cut + 2 * HOUR, n=520),
        own(cut + 3 * HOUR, "filled", cut),
    ]
    cuts = [(cut, files(*segments))]
    catalogue = files(segment("z", {"event": "w", "count": {"at_least": 2}}))
    expected, _ = naive(catalogue, lines, cuts, None, True)
    found, _ = engine(catalogue, lines, cuts, None, True)
    assert found == expected
    names = [json.loads(change)["segment"] for change in found]
    assert names == ["bucket", "distinct", "fits", "sum", "sum-of-latest"]
    assert Batched(catalogue, cuts, boundaries).run(lines, None) == found

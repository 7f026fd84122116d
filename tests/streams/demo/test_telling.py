"""Payers that tell in the demo: who is tied, what is measured, and how the naive evaluator is asked about it."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from rules.ground.instants import parse_instant
from streams.demo import naive, telling
from streams.demo.arrivals import Arrivals
from streams.demo.check import Arrived, Ledger, Line
from streams.demo.figures import Figures, Lane
from streams.demo.lines import Lines
from streams.demo.linked_summary import told_json, told_rows
from streams.demo.load import Load
from streams.demo.reached import tell_apart
from streams.demo.show import Show
from streams.demo.telling import Teller
from streams.example.organisations import payer, prescribes, tightened
from tests.streams.demo.test_linking import EXAMPLE, ROOT

SEGMENT = "plan-criteria-affected"
HCP, OTHER = "hcp:1000000012", "hcp:1000000020"
AT_MS = parse_instant("2026-03-01T00:00:00Z")


def entered(subject: str, event: str) -> dict[str, Any]:
    """Make a published entry."""
    reason = {"kind": "entry_rule", "by": [], "events": [event]}
    return {"profile": subject, "segment": SEGMENT, "change": "entered", "reason": reason}


class Loaded:
    """A load that remembers, and lets everybody enter who is tied to a payer that tells."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.teller: Teller | None = None

    def send_between(self, event: dict[str, Any]) -> None:
        self.sent.append(event)
        assert self.teller is not None
        if event["type"] == "formulary.criteria_changed":
            for tie in self.sent:
                if tie["data"].get("organisation") == event["subject"]:
                    self.teller.moved(entered(tie["subject"], f"{event['source']} {event['id']}"))


async def test_professionals_are_tied_to_a_payer_and_told_by_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EVERY_S", 0), ("POLL_S", 0), ("PRESCRIBERS", 2)):
        monkeypatch.setattr(telling, name, value)
    load, figures = Loaded(), Figures([Lane(0)], playing_s=1.0)
    names = [f"hcp:{n}" for n in range(3)]
    teller = load.teller = Teller(names, SEGMENT, cast("Show", Lines(sys.stderr)))
    await asyncio.wait_for(teller.run(cast("Load", load), figures), 10)
    assert [(each["type"], each["subject"]) for each in load.sent] == [
        ("affiliation.started", "hcp:0"),
        ("affiliation.started", "hcp:1"),
        ("formulary.criteria_changed", payer(1)),
        ("affiliation.started", "hcp:2"),
        ("formulary.criteria_changed", payer(2)),
    ]
    [notice] = figures.notices
    assert notice.startswith(f"{payer(1)} tightens criteria: its 2 prescribers moved, the last after ")
    assert len(notice) <= 80


def test_what_a_telling_brings_is_timed_from_its_send() -> None:
    arrivals = Arrivals()
    arrivals.sent("/market-access", "tighter-1", 10.0)
    for subject, now_s in ((HCP, 10.25), (OTHER, 10.5)):
        arrivals.arrived(0, entered(subject, "/market-access tighter-1"), 0, now_s, 0)
    told = told_json(arrivals.told, (None, None))
    assert (told["tellings"], told["told"], told["told_p50_ms"], told["told_max_ms"]) == (1, 2, 500, 500)
    [(name, count, said)] = told_rows(told)
    assert (name, count) == ("told", "2")
    assert said.startswith("1 payer told its prescribers; from its event's send to each one's entry: p50 500 ms")
    assert told_rows(told_json(Arrivals().told, (None, None))) == []


async def test_who_is_told_is_judged_at_the_instant_of_the_own_record(tmp_path: Path) -> None:
    [tie, other_tie] = [prescribes(each, payer(1), AT_MS) for each in (HCP, OTHER)]
    told = tightened(payer(1), 1, AT_MS + 500)

    def line(event: dict[str, Any], at_ms: int, place: int) -> Line:
        return Line(event["subject"], orjson.dumps({**event, "recordedtime": at(at_ms)}), at_ms, place)

    ledger = Ledger(0, clock_ms=AT_MS + 10_000)
    ledger.lines = [line(tie, AT_MS, 1), line(other_tie, AT_MS + 1, 2), line(told, AT_MS + 500, 3)]
    # one of them was told half a second before the other
    name = "/market-access tighter-1"
    ledger.reached = {
        (HCP, name): (payer(1), Arrived(AT_MS + 600, 4)),
        (OTHER, name): (payer(1), Arrived(AT_MS + 1_100, 5)),
    }
    assert tell_apart([ledger])[1] == {HCP, OTHER}
    scratch = tmp_path / "catalogue"
    scratch.symlink_to(EXAMPLE)
    command = (sys.executable, "-m", "tests.naive")
    sampled = await naive.sample(command, ROOT, scratch, [ledger], 30.0, 1, lambda *_: None)
    assert (sampled.profiles, sampled.told) == (3, 2)
    # nothing was published, so all that it says is missing
    found = [orjson.loads(value) for verdict in sampled.verdicts for value in verdict.missing]
    assert {each["profile"]: each["effective_at"] for each in found if each.get("segment") == SEGMENT} == {
        HCP: at(AT_MS + 600),
        OTHER: at(AT_MS + 1_100),
    }


def at(instant_ms: int) -> str:
    """Write an instant."""
    return f"2026-03-01T00:00:0{(instant_ms - AT_MS) // 1000}.{(instant_ms - AT_MS) % 1000:03d}Z"

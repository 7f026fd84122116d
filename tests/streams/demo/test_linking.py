"""Links in the demo: who is linked, what is measured, and how the naive evaluator is asked about linked profiles."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from rules.engine.persons.effects import FACTS_TYPE, Effect, seal
from rules.engine.record import Record
from rules.ground.instants import format_instant, parse_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.demo import linking, naive
from streams.demo.arrivals import Arrivals
from streams.demo.check import Arrived, Ledger, Line, judge_effects
from streams.demo.figures import Figures, Lane
from streams.demo.lines import Lines
from streams.demo.linked_summary import linked_json, linked_rows
from streams.demo.linking import Linker
from streams.demo.load import Load
from streams.demo.persons import person_parts
from streams.demo.show import Show
from streams.demo.sources import Data, open_source
from streams.demo.suppress import Suppressor
from streams.example.persons import SECOND_KINDS, second_name
from streams.example.synthetic import subjects
from streams.operations.verify_effects import Exchange

ROOT = Path(__file__).parents[3]
DAY = "2026-03-0{}T00:00:00.000Z"
EXAMPLE = ROOT / "streams" / "example" / "catalogue"
EMAIL, FIELD = "access-resources-email", "treatment-initiation-field"


def test_second_names_are_other_subjects_one_for_each_profile() -> None:
    names = [each for each in subjects(3_000, 1) if each.partition(":")[0] in SECOND_KINDS]
    seconds = [second_name(each) for each in names]
    assert len(set(seconds)) == len(names)
    assert {each.partition(":")[0] for each in seconds} == {"crm", "app"}


def change(profile: str, way: str, kind: str, *events: str, **more: Any) -> dict[str, Any]:
    """Make a published change."""
    what = {"activation": EMAIL, "channel": "email"} if way in ("activated", "deactivated") else {"segment": "s"}
    return {"profile": profile, **what, "change": way, "reason": {"kind": kind, "by": [], "events": [*events]}, **more}


def test_what_a_link_does_is_timed_from_its_send() -> None:
    arrivals = Arrivals()
    arrivals.sent("/steward", "link-1", 10.0)
    arrivals.sent("/privacy", "erase-1", 20.0)
    for told, now_s in (
        (change("crm:1", "exited", "merged", "/steward link-1"), 10.25),
        (change("hcp:1", "entered", "merged", "/steward link-1"), 10.5),
        (change("hcp:1", "exited", "erased", "/privacy erase-1"), 20.125),
        (change("hcp:1", "entered", "entry_rule", "/steward link-1"), 10.75),
    ):
        arrivals.arrived(0, told, 0, now_s, 0)
    arrivals.contacted(change("hcp:1", "deactivated", "suppressed_by", "/steward link-1"), 11.0)
    told = linked_json(arrivals.linked, (None, None))
    assert told["links"] == 1
    assert [told[f"{name}_p50_ms"] for name in ("link_exit", "link_takeover", "link_end", "erasure_exit")] == [
        *(250, 500, 1000, 125)
    ]
    # a journey that a link ended is no suppression by an event of its own profile
    assert arrivals.contact.suppressed == 0
    rows = {name: text for name, _, text in linked_rows({**told, "effects": 3, "effects_wrong": 0})}
    assert "to the take-over by the other: p50 500 ms" in rows["links"]
    assert linked_rows(linked_json(Arrivals().linked, (None, None))) == []


class Loaded:
    """A load that remembers, and lets the changes happen that the linker waits for."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.linker: Linker | None = None

    def send_between(self, event: dict[str, Any]) -> None:
        self.sent.append(event)
        assert self.linker is not None
        name, subject = f"{event['source']} {event['id']}", event["subject"]
        if event["type"] == "programme.enrolled":
            self.linker.moved({**change(subject, "entered", "entry_rule", name), "segment": "programme"})
        elif event["type"] == "identity.linked":
            self.linker.contacted(change(event["data"]["canonical"], "deactivated", "suppressed_by", name))
        elif event["type"] == "privacy.erased":
            self.linker.moved(change("patient:x", "exited", "erased", name))


async def test_a_name_of_the_crm_is_linked_to_one_that_is_emailed_and_a_patient_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EVERY_S", "POLL_S"):
        monkeypatch.setattr(linking, name, 0)
    monkeypatch.setattr(linking, "TAKEN_BACK", 1)
    source = open_source(Data.SYNTHETIC, 20, 1, SystemClock().wall_ms)
    assert source.suppression is not None
    suppressor = Suppressor(source.suppression, source.catalogue)
    hcp, field, patient = "hcp:1200000011", "hcp:1200000029", "patient:pa-000007"
    for subject, activation in ((field, "access-visit-field"), (hcp, EMAIL)):
        suppressor.heard({"profile": subject, "activation": activation, "change": "activated"})
    load, figures = Loaded(), Figures([Lane(0)], playing_s=1.0)
    linker = load.linker = Linker(suppressor, "programme", cast("Show", Lines(sys.stderr)))
    linker.contacted(change(patient, "activated", "allowed", channel="sms"))
    running = asyncio.ensure_future(linker.run(cast("Load", load), figures))
    for _ in range(200):
        await asyncio.sleep(0)
    running.cancel()
    crm, app = second_name(hcp), second_name(patient)
    assert [(each["subject"], each["type"]) for each in load.sent if each["subject"] == crm] == [
        (crm, "programme.enrolled"),
        (crm, "identity.linked"),
        (crm, "programme.completed"),
        (crm, "identity.unlinked"),
    ]
    assert [(each["subject"], each["type"]) for each in load.sent if each["subject"] != crm] == [
        (app, "consent.withdrawn"),
        (app, "identity.linked"),
        (app, "privacy.erased"),
    ]
    links = {each["subject"]: each["data"]["canonical"] for each in load.sent if each["type"] == "identity.linked"}
    assert links == {crm: hcp, app: patient}
    assert len(figures.notices) == 3
    assert suppressor.take("-email") is None
    assert suppressor.take("-field") == field


# -- the naive evaluator


def two_subjects() -> tuple[str, str]:
    """Return an end and an alias in different partitions of two."""
    names = [f"hcp:{number}" for number in range(9)]
    end = next(each for each in names if partition_of(each.encode(), 2) == 0)
    return end, next(f"crm:{n}" for n in range(9) if partition_of(f"crm:{n}".encode(), 2) == 1)


END, ALIAS = two_subjects()


def line(day: int, place: int, subject: str, type_: str, id_: str, data: Mapping[str, Any]) -> Line:
    """Make an event on a day, the record `place` of its partition."""
    at = DAY.format(day)
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": "/s",
        "type": type_,
        "subject": subject,
        "time": at,
        "recordedtime": at,
        "data": data,
    }
    return Line(subject, orjson.dumps(event), parse_instant(at), place)


def ledgers() -> list[Ledger]:
    """Return two partitions: an alias is linked on day 3, its end hears of it a minute later."""
    end, alias = Ledger(0), Ledger(1)
    end.lines = [line(2, 1, END, "portal.login", "e1", {})]
    alias.lines = [
        line(1, 1, ALIAS, "programme.enrolled", "a1", {}),
        line(3, 2, ALIAS, "identity.linked", "l1", {"canonical": END}),
        line(4, 3, ALIAS, "programme.enrolled", "a1", {}),
        line(5, 4, ALIAS, "programme.completed", "a2", {}),
    ]
    minute = 60_000
    end.effects = {
        (END, "/s l1"): Arrived(parse_instant(DAY.format(3)) + minute, 4),
        (END, "/s a2"): Arrived(parse_instant(DAY.format(5)) + minute, 6),
    }
    end.clock_ms = alias.clock_ms = parse_instant(DAY.format(9))
    return [end, alias]


def test_the_end_of_a_link_is_judged_by_what_its_own_partition_saw_and_when() -> None:
    end, alias = person_parts(ledgers())
    assert (end.subjects, alias.subjects) == ((END,), (ALIAS,))
    seen = [(each["id"], each["recordedtime"]) for each in map(json.loads, end.lines)]
    assert seen == [
        ("a1", DAY.format(1)),
        ("e1", DAY.format(2)),
        ("l1", "2026-03-03T00:01:00.000Z"),
        ("a2", "2026-03-05T00:01:00.000Z"),
    ]
    assert [json.loads(each)["id"] for each in alias.lines] == ["a1", "l1", "a1", "a2"]


async def test_the_naive_evaluator_judges_linked_profiles_and_finds_what_is_wrong_with_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.naive"]
    programme = "treatment-initiation-programme"

    def published(profile: str, sequence: int, way: str, at: str, kind: str, event: str) -> bytes:
        told: dict[str, Any] = {"id": f"g1/{profile}/{sequence}", "profile": profile, "segment": programme}
        conditions = {"entry_rule": ["enter"], "exit_rule": ["exit"]}.get(kind, [])
        told |= {"segment_version": 2, "change": way, "sequence": sequence, "effective_at": at}
        told |= {"reason": {"kind": kind, "conditions": conditions, "events": [event]}}
        told |= {"layers": {"use_case": "treatment-initiation", "stage": "start"}, "backfill": False}
        return orjson.dumps(told)

    end, alias = ledgers()
    alias.published = [
        published(ALIAS, 1, "entered", DAY.format(1), "entry_rule", "/s a1"),
        published(ALIAS, 2, "exited", DAY.format(3), "merged", "/s l1"),
    ]
    end.published = [
        published(END, 1, "entered", "2026-03-03T00:01:00.000Z", "merged", "/s l1"),
        published(END, 2, "exited", "2026-03-05T00:01:00.000Z", "exit_rule", "/s a2"),
    ]
    ask = (command, ROOT, EXAMPLE, [end, alias], 30.0, 1, lambda *_: None)
    scratch = tmp_path / "catalogue"
    scratch.symlink_to(EXAMPLE)
    sampled = await naive.sample(command, ROOT, scratch, *ask[3:])
    found = [value for verdict in sampled.verdicts for value in (*verdict.missing, *verdict.unexpected)]
    said = [each for each in found if json.loads(each).get("segment") == programme]
    assert said == []
    assert (sampled.profiles, sampled.linked) == (2, 2)
    end.published = end.published[1:]
    sampled = await naive.sample(command, ROOT, scratch, *ask[3:])
    missing = [json.loads(each)["reason"]["kind"] for verdict in sampled.verdicts for each in verdict.missing]
    assert "merged" in missing


def test_an_effect_that_did_not_arrive_is_found() -> None:
    exchange = Exchange(2, "g1")
    [effect] = seal([Effect(END, FACTS_TYPE, {})], "g1", ALIAS, 7, parse_instant(DAY.format(3)))
    exchange.send(1, effect)
    assert len(judge_effects(exchange, [10, 10])) == 1
    exchange.take(0, Record(5, 0, END.encode(), effect.value))
    assert judge_effects(exchange, [10, 10]) == ()
    assert format_instant(effect.cause_ms) == DAY.format(3)

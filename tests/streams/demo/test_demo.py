"""The demo's parts: its judge finds every kind of wrong, its pace follows the workers, its words say the rule."""

import asyncio
from typing import cast

import orjson
import pytest

from streams.clock import SystemClock
from streams.demo import summary, suppress, told
from streams.demo.arrivals import Arrivals, Took, quantile, undisturbed_ms
from streams.demo.check import CheckVerdict, Ledger, judge, judge_profiles
from streams.demo.figures import Figures, Lane, ToldChange
from streams.demo.load import RATE_MIN, Load, LoadRate
from streams.demo.naive import Sampled
from streams.demo.outcome import DemoOutcome
from streams.demo.selection import NEW_S, Selection
from streams.demo.sources import Data, open_source
from streams.demo.words import TIME_ALONE, Line, Words, short
from tests.rules.explain.test_activation_explanations import said

AT = "2026-03-01T14:05:0{}.000Z"


def _change(sequence: int, profile: str = "hcp:1", at: int | None = None, segment: str = "s") -> bytes:
    return orjson.dumps(
        {
            "id": f"g1/{profile}/{sequence}",
            "profile": profile,
            "segment": segment,
            "change": "entered",
            "effective_at": AT.format(sequence if at is None else at),
            "reason": {"kind": "entry_rule", "conditions": ["enter"], "events": [f"/crm e{sequence}"]},
        }
    )


ONE, TWO, THREE, FOUR = (_change(n) for n in range(1, 5))


def test_what_is_published_once_and_in_order_is_right() -> None:
    assert judge([Ledger(0, [ONE, TWO, THREE], due=[ONE, TWO], later=[THREE, FOUR])]).right


@pytest.mark.parametrize(
    ("published", "missing", "duplicates", "unexpected", "out_of_order"),
    [
        ([ONE, THREE], 1, 0, 0, 0),
        ([ONE, TWO, TWO, THREE], 0, 1, 0, 0),
        ([ONE, TWO, ONE, THREE], 0, 1, 0, 0),
        ([ONE, TWO, THREE, FOUR], 0, 0, 1, 0),
        ([TWO, ONE, THREE], 0, 0, 0, 1),
        ([ONE, _change(2, segment="t"), THREE], 1, 0, 1, 0),
        ([ONE, TWO, _change(2, segment="t"), THREE], 0, 1, 1, 0),
        ([], 3, 0, 0, 0),
    ],
)
def test_every_kind_of_wrong_is_found(
    published: list[bytes], missing: int, duplicates: int, unexpected: int, out_of_order: int
) -> None:
    verdict = judge([Ledger(0, published, due=[ONE, TWO, THREE])])
    found = (len(verdict.missing), verdict.duplicates, len(verdict.unexpected), verdict.out_of_order)
    assert found == (missing, duplicates, unexpected, out_of_order)
    assert not verdict.right


def test_the_naive_evaluator_is_heard_on_the_profiles_it_lived_through() -> None:
    other = _change(1, "hcp:2")
    ledger = Ledger(0, [ONE, other, TWO], clock_ms=SystemClock().wall_ms())
    assert judge_profiles(ledger, {"hcp:1": [ONE, TWO]}).right
    assert judge_profiles(ledger, {"hcp:1": [ONE, TWO, THREE]}).missing == {THREE}
    assert judge_profiles(ledger, {"hcp:1": [ONE]}).unexpected == {TWO}
    assert judge_profiles(ledger, {"hcp:1": [TWO, ONE]}).out_of_order == 1
    assert judge_profiles(ledger, {"hcp:2": []}).unexpected == {other}


def _activation(sequence: int, kind: str = "allowed", by: tuple[str, ...] = (), channel: str = "email") -> bytes:
    return orjson.dumps(
        {
            "id": f"g1/hcp:1/{channel}/{sequence}",
            "profile": "hcp:1",
            "activation": f"basics-{channel}",
            "channel": channel,
            "change": "activated" if kind == "allowed" else "deactivated",
            "effective_at": AT.format(sequence),
            "reason": {"kind": kind, "by": by, "events": [f"/crm e{sequence}"], "was": None},
            "arm": None,
        }
    )


ON, OFF = _activation(1), _activation(2, "suppressed_by", ("programme",))


def test_each_channel_is_judged_in_its_own_order() -> None:
    sms = _activation(1, channel="sms")
    ledger = Ledger(0, [ONE, TWO], clock_ms=SystemClock().wall_ms())
    ledger.channel("email").published = [ON, OFF]
    ledger.channel("sms").published = [sms]
    said = [ONE, ON, sms, TWO, OFF]
    assert judge_profiles(ledger, {"hcp:1": said}).right
    assert judge_profiles(ledger, {"hcp:1": [ON, *said[:1], *said[2:]]}).right  # between topics there is no order
    assert judge_profiles(ledger, {"hcp:1": [ONE, TWO, ON, OFF]}).unexpected == {sms}
    assert judge_profiles(ledger, {"hcp:1": [*said, _activation(3)]}).missing == {_activation(3)}
    assert judge_profiles(ledger, {"hcp:1": [ONE, OFF, sms, TWO, ON]}).out_of_order == 1
    ledger.due = [ONE, TWO]
    ledger.channel("email").due, ledger.channel("sms").due = [OFF, ON], [sms]
    assert judge([ledger]).out_of_order == 1
    ledger.channel("email").due = [ON, OFF]
    assert judge([ledger]).right


def test_a_suppression_is_timed_from_the_send_of_its_event_to_the_channels_reader() -> None:
    arrivals = Arrivals()
    arrivals.sent("/crm", "e1", 10.0)
    arrivals.sent("/crm", "e2", 20.0)
    for value, now_s in ((ON, 10.5), (OFF, 20.25), (_activation(3, "suppressed_by"), 30.0)):
        arrivals.contacted(orjson.loads(value), now_s)
    arrivals.suppresses(orjson.loads(TWO), 20.125)
    contact = arrivals.contact
    assert (contact.activated, contact.deactivated, contact.suppressed) == (1, 2, 2)
    assert [each.ms for each in contact.suppressed_took] == [250]  # of what was not sent here nobody knows
    assert [each.ms for each in contact.suppressing_took] == [125]
    assert arrivals.changes == 0


class Sent:
    """A load that only remembers."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def send_between(self, event: dict[str, object]) -> None:
        self.events.append(event)


async def test_who_is_active_in_a_promotional_journey_is_suppressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppress, "EVERY_S", 0)
    source = open_source(Data.SYNTHETIC, 20, 1, SystemClock().wall_ms)
    assert source.suppression is not None
    suppressor = suppress.Suppressor(source.suppression, source.catalogue)
    promotional, other = "clinical-basics-email", "treatment-initiation-field"
    for subject, activation, change in (
        ("hcp:1", promotional, "activated"),
        ("hcp:2", other, "activated"),
        ("hcp:3", promotional, "activated"),
        ("hcp:3", promotional, "deactivated"),
        ("hcp:1", "access-visit-field", "activated"),
    ):
        suppressor.heard({"profile": subject, "activation": activation, "change": change})
    sent, figures = Sent(), Figures([Lane(0)], playing_s=1.0)
    running = asyncio.ensure_future(suppressor.run(cast("Load", sent), figures))
    for _ in range(50):
        await asyncio.sleep(0)
    suppressor.heard({"profile": "hcp:1", "activation": promotional, "change": "activated"})
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()
    assert [(each["subject"], each["type"]) for each in sent.events] == [("hcp:1", "programme.enrolled")]


def test_a_suppression_is_shown_first_but_not_alone() -> None:
    words = Words(open_source(Data.SYNTHETIC, 20, 1, SystemClock().wall_ms).catalogue)
    selection = Selection()

    def add(value: bytes) -> None:
        selection.add(words.line(orjson.loads(value)), 1.0)

    add(_change(1, segment="oncology-hcp"))
    add(_activation(1))
    add(OFF)
    line = selection.take(1.0)
    assert line is not None
    assert (line.way, line.title, line.why) == ("off", "basics-email (email)", "suppressed by programme")
    add(_activation(3, "suppressed_by", ("programme",)))
    ways = [found.way for _ in range(3) if (found := selection.take(1.0)) is not None]
    assert ways[1] == "off"
    assert sorted(ways) == ["in", "off", "on"]


def test_either_check_alone_makes_the_demo_fail_and_say_what_is_wrong() -> None:
    right, wrong = (CheckVerdict(missing, 0, frozenset(), 0) for missing in (frozenset[bytes](), frozenset({ONE})))
    for engine, naive in ((right, wrong), (wrong, right), (wrong, wrong)):
        outcome = DemoOutcome(Figures([Lane(0)]), engine, 3, 2, 1, 0, Sampled(1, 1, 1, (naive,)))
        told = summary.as_json(outcome, Data.SYNTHETIC)
        assert (told["missing"], told["ok"]) == (1, False)
        assert "1 missing" in summary.wrong(told)[0]
    assert DemoOutcome(Figures([Lane(0)]), right, 3, 2, 1, 0, None).right


def test_the_pace_rises_while_the_workers_keep_up_and_stays_below_what_was_too_fast() -> None:
    pace = LoadRate(100, 1_000)
    for _ in range(5):
        pace.judge(0, 10)
    assert 200 < pace.rate < 1_000
    too_fast = pace.rate
    pace.judge(10_000, 10)
    assert pace.rate < too_fast
    for _ in range(50):
        pace.judge(0, 10)
    assert pace.rate < too_fast
    for _ in range(50):
        pace.judge(10_000, 10)
    assert pace.rate == RATE_MIN


def test_latency_leaves_out_what_was_under_way_during_the_trouble_and_nothing_else() -> None:
    took = [Took(1, 2), Took(1, 5), Took(6, 7), Took(8, 12), Took(11, 12)]
    assert undisturbed_ms(took, 4, 10) == [1_000, 1_000]
    assert len(undisturbed_ms(took, None, None)) == len(took)
    assert len(undisturbed_ms(took, 4, None)) == 1


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.99) == 3


@pytest.mark.parametrize("data", list(Data))
def test_every_source_has_a_segment_for_time_alone_and_says_what_it_plays(data: Data) -> None:
    source = open_source(data, 20, 1, SystemClock().wall_ms)
    assert source.overlay in source.catalogue.approved
    assert source.catalogue.approved[source.overlay].title
    assert "Demo only" in Words(source.catalogue).title(source.overlay)
    assert next(source.events)["specversion"] == "1.0"
    assert ("retail purchases" if data is Data.CDNOW else "synthetic") in " ".join(source.said)


def test_a_change_is_said_with_the_conditions_behind_it() -> None:
    source = open_source(Data.SYNTHETIC, 20, 1, SystemClock().wall_ms)
    words = Words(source.catalogue)
    change = orjson.loads(_change(1, segment=source.overlay))
    line = words.line(change)
    assert (line.entered, line.why, line.cause, line.alone) == (True, "portal.login within 5s", "/crm e1", False)
    change["change"] = "exited"
    change["reason"] = {"kind": "entry_lost", "conditions": ["enter"], "events": []}
    line = words.line(change)
    assert (line.entered, line.why, line.cause, line.alone) == (
        False,
        "no longer: portal.login within 5s",
        TIME_ALONE,
        True,
    )
    assert short("covered by fills", denied=True) == "not (covered by fills)"


def test_every_segment_has_its_turn_and_old_news_is_no_news() -> None:
    source = open_source(Data.SYNTHETIC, 20, 1, SystemClock().wall_ms)
    words, selection = Words(source.catalogue), Selection()
    for n in range(1, 4):
        selection.add(words.line(orjson.loads(_change(n, segment="oncology-hcp"))), 1.0)
    selection.add(words.line(orjson.loads(_change(4, segment="newly-diagnosed"))), 1.0)
    shown = [line.segment for line in (selection.take(1.0), selection.take(1.0)) if line is not None]
    assert sorted(shown) == ["newly-diagnosed", "oncology-hcp"]
    assert selection.take(1.0) is None
    selection.add(words.line(orjson.loads(_change(5))), 1.0)
    assert selection.take(1.0 + 2 * NEW_S) is None


def test_what_nothing_ends_is_not_said_to_last_until_nothing() -> None:
    refused = said(at="2026-03-05", audience="patient", holdout={"percent": 100, "salt": "s"})
    lines = [line.plain for line in told.body(ToldChange(cast("Line", None), refused))]
    assert "✗ it is for patient profiles, this one is hcp: nothing: a profile keeps its kind" in lines
    assert not [line for line in lines if "until nothing" in line]

"""How it was: a profile and a segment at an instant in the past, from the log."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rules.ground.instants import format_instant
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique

pytestmark = pytest.mark.servers
ONE, TWO = "hcp:1000000001", "hcp:1000000002"
FIRST = {
    **SMALL,
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, within: 1h}\n"
    ),
}
SECOND = {
    **SMALL,
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 2\nstatus: approved\nenter: {event: portal.login, within: 1h}\n"
        "exit: {during: {from: 2020-01-01}}\n"
    ),
    "segments/known.yaml": "segment: known\nversion: 1\nstatus: approved\nenter: {everyone: true}\n",
}
"""Nobody is a visitor any more, and all are known."""


@dataclass
class Told:
    """A deployment, and instants between the things that happened in it."""

    segue: Segue
    at: dict[str, str] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        """Remember an instant that no record has."""
        time.sleep(0.05)
        self.at[name] = format_instant(time.time_ns() // 1_000_000)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def told(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    segue = deployment(unique("was"), kafka.bootstrap, valkey.redis_url, 2)
    told = Told(segue)
    segue.done("topics")
    told.mark("before the first catalogue")
    segue.done("apply", write_catalogue(tmp_path_factory.mktemp("first"), FIRST), "--by", "ann")
    with segue.started("worker", "--log-level", "warning"):
        told.mark("before the first login")
        segue.done("send", "-", stdin=event(ONE, "portal.login", 1))
        wait_for(lambda: members(segue, "visitors") == [ONE])
        told.mark("one is in")
        segue.done("apply", write_catalogue(tmp_path_factory.mktemp("second"), SECOND), "--by", "ben")
        wait_for(lambda: members(segue, "known") == [ONE])
        told.mark("after the second catalogue")
        segue.done("send", "-", stdin=event(ONE, "portal.login", 2) + event(TWO, "portal.login", 3))
        wait_for(lambda: members(segue, "known") == [ONE, TWO])
        told.mark("the end")
        yield told


def members(segue: Segue, segment: str) -> list[str]:
    """Return the members of a segment, sorted."""
    return sorted(segue("members", segment).out.split())


def explained(told: Told, subject: str, at: str) -> tuple[dict[str, bool], str]:
    """Return which segments there were and whether the profile was in them, and the catalogue then in force."""
    found = told.segue.done("explain", subject, "--at", told.at[at], "--json").json
    assert found["at"] == told.at[at]
    assert found["on_its_way"] == []
    return {each["segment"]: each["member"] for each in found["segments"]}, found["catalogue"]


def test_explain_tells_how_it_was_under_the_catalogue_then_in_force(told: Told) -> None:
    then, first = explained(told, ONE, "one is in")
    assert then == {"visitors": True}
    after, second = explained(told, ONE, "after the second catalogue")
    assert after == {"known": True, "visitors": False}
    assert second != first
    assert explained(told, ONE, "the end") == (after, second)
    assert explained(told, TWO, "the end") == (after, second)


def test_explain_never_tells_today_for_an_instant_at_which_nothing_was_known(told: Told) -> None:
    for subject, at, said in (
        (ONE, "before the first catalogue", "no catalogue was in force at"),
        (ONE, "before the first login", "the profile was not known at"),
        (TWO, "one is in", "the profile was not known at"),
    ):
        ended = told.segue("explain", subject, "--at", told.at[at])
        assert (ended.status, ended.out) == (1, ""), at
        assert said in ended.err
        assert subject not in ended.err


def test_explain_ahead_of_now_is_what_comes_if_nothing_happens(told: Told) -> None:
    found = told.segue.done("explain", ONE, "--at", "2100-01-01T00:00:00Z", "--json").json
    assert found["at"] == "2100-01-01T00:00:00.000Z"


def test_history_tells_every_published_change_and_who_applied_the_rules(told: Told) -> None:
    watch = ("watch", "--from-start", "--membership", "--subject", ONE, "--count", 3, "--seconds", 60, "--json")
    published = told.segue.done(*watch).lines
    found = told.segue.done("history", ONE, "--json").json
    assert [each["change"] for each in found["changes"]] == published
    assert [
        (
            each["change"]["segment"],
            each["change"]["change"],
            each["change"]["segment_version"],
            each["in_force"]["applied"]["by"],
        )
        for each in found["changes"]
    ] == [("visitors", "entered", 1, "ann"), ("known", "entered", 1, "ben"), ("visitors", "exited", 2, "ben")]
    assert found["changes"][0]["conditions"] == ["1 or more of portal.login within 1h"]
    shown = told.segue.done("history", ONE).out.splitlines()
    assert [line.partition(" ")[0] for line in shown if not line.startswith(" ")] == ["catalogue", "catalogue"]
    assert "applied by ann" in shown[0]
    assert "visitors v1  entry rule: 1 or more of portal.login within 1h  [/test 1]" in shown[1]


def test_history_can_be_narrowed_to_a_name_and_knows_its_names(told: Told) -> None:
    found = told.segue.done("history", ONE, "visitors", "--json").json
    assert [each["change"]["change"] for each in found["changes"]] == ["entered", "exited"]
    unknown = told.segue("history", ONE, "visitor")
    assert (unknown.status, unknown.out) == (1, "")
    assert "did you mean 'visitors'" in unknown.err
    nobody = told.segue("history", "hcp:nobody")
    assert (nobody.status, nobody.out) == (1, "")
    assert "hcp:nobody" not in nobody.err


def test_the_evidence_of_an_old_change_is_the_rule_then_and_the_event_as_it_came(told: Told) -> None:
    first = told.segue.done("history", ONE, "--change", 1, "--json").json
    assert first["change"]["segment_version"] == 1
    [leaf] = first["rules"]["enter"]
    assert (leaf["path"], leaf["text"], leaf["holds"]) == ("enter", "1 or more of portal.login within 1h", True)
    [event_then] = first["events"]
    assert (event_then["id"], event_then["type"], event_then["data"]) == ("1", "portal.login", {})
    assert first["trigger"] == event_then
    assert first["rules"]["exit"] == []
    left = told.segue.done("history", ONE, "--change", f"g1/{ONE}/3", "--json").json
    assert left["trigger"] is None
    assert [(each["path"], each["holds"]) for each in left["rules"]["exit"]] == [("exit", True)]
    shown = told.segue.done("history", ONE, "--change", 1).out
    assert "enter, as it was then" in shown
    assert "/test 1  portal.login  {}" in shown
    unknown = told.segue("history", ONE, "--change", 99)
    assert (unknown.status, unknown.out) == (1, "")
    assert "no published change of that id" in unknown.err

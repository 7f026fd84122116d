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

"""Links that are sent at the same time as an opposite link, as an unlink, and while catalogues are applied."""

import json
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import pytest

from rules.ground.instants import format_instant
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import deployment, wait_for
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.test_filling import equal
from tests.naive.reading import read_folder
from tests.naive.replay import replay
from tests.servers import unique

pytestmark = pytest.mark.servers
PARTITIONS: Final = 2
HEAD: Final = "segment: {0}\nversion: {1}\nstatus: approved\nenter: {2}\n"
FIRST: Final = {
    "dictionary.yaml": "events: {portal.login: {}, portal.visit: {}}\n",
    "segments/visitors.yaml": HEAD.format("visitors", 1, "{event: portal.visit}"),
    "segments/often.yaml": HEAD.format("often", 1, "{event: portal.login, count: {at_least: 3}, within: 1d}"),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
        "segments: {all: [visitors]}\nsuppress_while: [often]\n"
        "content: {intent: hello, review: {status: approved}}\n"
    ),
}
LATER: Final = [
    FIRST | {"segments/often.yaml": HEAD.format("often", 2, "{event: portal.login, count: {at_least: 4}, within: 2d}")},
    FIRST
    | {
        "segments/often.yaml": HEAD.format("often", 3, "{event: portal.login, count: {at_least: 2}, within: 3d}"),
        "segments/seldom.yaml": HEAD.format("seldom", 1, "{event: portal.visit, count: {at_most: 1}, within: 1d}"),
    },
]
"""Everybody is in these segments by the facts and the instant alone, so the order of partitions decides nothing."""
EVENTS_PER_CUT: Final = 400
FLOWING: Final = 40
"""Records that wait when a catalogue is applied; a good third of them are links."""
Standing = dict[str, set[str]]


@dataclass
class World:
    """A deployment with a worker, and all lines that were sent to it."""

    segue: Quick
    worker: "subprocess.Popen[str]"
    folder: Path
    catalogue: Path
    """The catalogue that was applied last."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    _last_ms: int = 0

    def line(self, subject: str, what: str) -> dict[str, Any]:
        """Write an event; `what` is a type, or whom the subject is to stand for. Each is later than the one before."""
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        made = {
            "specversion": "1.0",
            "id": f"e{len(self.lines)}",
            "source": "/steward",
            "type": "identity.linked" if ":" in what else what,
            "subject": subject,
            "time": format_instant(self._last_ms),
            "data": {"canonical": what} if ":" in what else {},
        }
        self.lines.append(made)
        return made

    def file(self, lines: Sequence[dict[str, Any]]) -> Path:
        """Write events into a file."""
        path = self.folder / f"{unique('sent')}.ndjson"
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        return path

    def send(self, *lines: dict[str, Any]) -> None:
        """Send events, and wait until they are applied."""
        self.segue.done("send", self.file(lines))
        self.settle()

    def send_at_once(self, *several: Sequence[dict[str, Any]]) -> None:
        """Let several processes send at the same time."""
        with ExitStack() as stack:
            sending = [stack.enter_context(self.segue.started("send", self.file(lines))) for lines in several]
            assert [each.wait(60) for each in sending] == [0] * len(several)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was sent is applied and published; effects make more of it."""
        for _ in range(2):
            wait_for(lambda: self.segue.done("lag", "--json").json["lag_records"] == 0)

    def standing(self) -> Standing:
        """Return who is in which segment and activation by all changes that were published."""
        self.settle()
        told = self.segue.done("watch", "--from-start", "--seconds", 1, "--json")
        return _standing([each for each in told.lines if "sequence" in each])

    def judged(self) -> Standing:
        """Return who is in what by the naive evaluator, which has one catalogue from the beginning."""
        lines = [json.dumps(each).encode() for each in sorted(self.lines, key=lambda each: str(each["time"]))]
        return _standing([json.loads(each) for each in replay(read_folder(self.catalogue), lines).changes])

    def canonical_of(self, subject: str) -> Any:
        """Return for whom `segue links` says that a subject stands."""
        person = self.segue.done("links", subject, "--json").json["person"]
        return next(each["canonical"] for each in person if each["subject"] == subject)

    def dumped(self, partition: int) -> list[dict[str, Any]]:
        """Return the records of a partition, in order."""
        file = self.folder / f"{unique('dump')}.ndjson"
        self.segue.done("dump", partition, "-o", file, "--catalogues", self.folder / unique("cuts"))
        return [json.loads(each) for each in file.read_text().splitlines()]


def _standing(changes: Sequence[dict[str, Any]]) -> Standing:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in changes:
        members = found[each.get("segment") or each["activation"]]
        (members.add if each["change"] in ("entered", "activated") else members.discard)(each["profile"])
    return {name: members for name, members in found.items() if members}


@pytest.fixture(scope="module")
def world(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A deployment of two partitions with one worker."""
    folder = tmp_path_factory.mktemp("at-once")
    with ExitStack() as stack:
        made = Quick(deployment(unique("at-once"), kafka.bootstrap, valkey.redis_url, PARTITIONS).environment)
        made.environment |= {
            "SEGUE_ACTIVATION_TOPIC_PREFIX": unique("at-once"),
            "SEGUE_WEB_PORT": "0",
            "SEGUE_METRICS_PORT": "0",
        }
        made.forked = stack.enter_context(Forked(made, folder))
        made.done("topics")
        catalogue = write_catalogue(folder / "first", FIRST)
        made.done("apply", catalogue)
        worker = stack.enter_context(made.started("worker", "--log-level", "warning"))
        yield World(made, worker, folder, catalogue)


def test_opposite_links_of_two_stewards_make_rings_which_the_runbook_opens(world: World) -> None:
    segue = world.segue
    pairs = [(f"crm:opposite-{number}", f"hcp:opposite-{number}") for number in range(6)]
    world.send(*(world.line(hcp, "portal.visit") for _, hcp in pairs))
    one = [world.line(crm, hcp) for crm, hcp in pairs]
    other = [world.line(hcp, crm) for crm, hcp in pairs]
    world.send_at_once(one, other)
    standing = world.standing()
    assert standing == world.judged()
    assert not {each for pair in pairs for each in pair} & set.union(set(), *standing.values())

    # as the runbook says: who is it, which links are they, and which subject should be at the head
    rings = [set(each["subjects"]) for each in segue.done("links", "--rings", "--json").json["persons"]]
    assert all(set(pair) in rings for pair in pairs)
    crm, hcp = pairs[0]
    assert f"{crm} → {hcp} → {crm}" in segue.done("links", crm).out
    assert "6 rings of links" in segue.done("links").out
    said = segue.done("links", hcp).out
    assert f"/steward {one[0]['id']}" in said
    assert f"/steward {other[0]['id']}" in said
    assert segue.done("links", "take-back", hcp, "--yes").out.endswith("sent: identity.unlinked\n")
    world.line(hcp, "identity.unlinked")  # take-back has sent it
    world.send(*(world.line(each, "identity.unlinked") for _, each in pairs[1:]))
    assert segue.done("links", "--rings", "--json").json["persons"] == []
    standing = world.standing()
    assert standing == world.judged()
    assert {hcp for _, hcp in pairs} <= standing["welcome"]
    assert world.canonical_of(crm) == hcp


def test_of_a_link_and_an_unlink_at_once_the_later_by_its_own_time_stands(world: World) -> None:
    """Which of the two arrives first, decides nothing."""
    linked = [f"crm:parted-{number}" for number in range(6)]
    heads = [f"hcp:parted-{number}" for number in range(6)]
    world.send(*(world.line(each, "portal.login") for each in linked), *map(world.line, linked, heads))
    again, apart = [], []
    for number, (subject, head) in enumerate(zip(linked, heads, strict=True)):
        for unlinks in (True, False) if number % 2 else (False, True):
            if unlinks:
                apart.append(world.line(subject, "identity.unlinked"))
            else:
                again.append(world.line(subject, head.replace("parted", "other")))
    world.send_at_once(again, apart)
    stand_for = [world.canonical_of(each) for each in linked]
    assert stand_for == [None, "hcp:other-1", None, "hcp:other-3", None, "hcp:other-5"]
    assert world.standing() == world.judged()


def test_links_and_events_that_flow_while_catalogues_are_applied_give_what_all_of_them_say(world: World) -> None:
    rng = random.Random(7)
    subjects = [f"{kind}:flow-{number}" for kind in ("hcp", "crm", "app") for number in range(20)]
    places = threading.Semaphore(0)
    """So many more events may be sent: the naive evaluator is slow."""

    def flow(to: IO[str]) -> None:
        for _ in range(len(LATER) * EVENTS_PER_CUT):
            places.acquire()
            subject, drawn = rng.choice(subjects), rng.random()
            what = "portal.login" if drawn < 0.35 else "portal.visit"
            if drawn > 0.9:
                what = "identity.unlinked"
            elif drawn > 0.5:
                what = rng.choice([each for each in subjects if each != subject])
            to.write(json.dumps(world.line(subject, what)) + "\n")
            to.flush()
            time.sleep(0.004)

    with world.segue.fed("send", "-") as to:
        flowing = threading.Thread(target=flow, args=[to])
        flowing.start()
        for number, files in enumerate(LATER):
            places.release(EVENTS_PER_CUT)
            world.catalogue = write_catalogue(world.folder / f"later-{number}", files)
            with stopped(world.worker):  # so links are there before the cut, and what they bring comes after it
                wait_for(lambda: world.segue.done("lag", "--json").json["lag_records"] > FLOWING)
                world.segue.done("apply", world.catalogue, "--no-fill")
            world.segue.done("fill")
        flowing.join()
    world.settle()
    assert crossed(*(world.dumped(partition) for partition in range(PARTITIONS)))
    assert world.standing() == world.judged()
    assert equal(world.segue)


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Let a process stand still meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def crossed(*partitions: Sequence[dict[str, Any]]) -> int:
    """Count what links brought to a partition that stood on the other side of a cut than the one of the link."""
    before: dict[str, int] = {}
    found = 0
    for records in partitions:
        cuts = 0
        for each in records:
            cuts += each["type"] == "segue.catalogue"
            if each["type"].startswith("identity."):
                before[f"{each['source']} {each['id']}"] = cuts
    for records in partitions:
        cuts = 0
        for each in records:
            cuts += each["type"] == "segue.catalogue"
            if each["type"] in ("segue.facts", "segue.withdrawn"):
                found += before.get(each["data"].get("event", ""), cuts) != cuts
    return found

"""Nobody who was erased comes back: late duplicates, producers, replays, rebuilds, restored backups. On real servers.

Under both policies. Each test has a person of its own, a link between two subjects in two partitions; all of them are
erased together, after a backup of Redis. Under `begin_anew` each begins anew with one event, which must not meet
anything of the old facts: another login would let it into `visitors`, its old topic into `readers`.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.published import Published
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import running_valkey, unique

pytestmark = pytest.mark.servers

PARTITIONS = 2
TOLD = ("late", "on", "replayed", "rebuilt", "rebuilt-one", "restored")
"""A person for each test."""
CONTENT = "{call_to_action: read, intent: access, review: {status: approved, reference: R, expires: 2099-01-31}}"
FILES = {
    "dictionary.yaml": (
        "traits:\n  topic: {type: string, definition: The last topic}\n"
        "events:\n  portal.login: {definition: Logged in, data: {topic: {type: string}}, sets: {topic: topic}}\n"
    ),
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\n"
        "enter: {event: portal.login, count: {at_least: 2}, within: 30d}\n"
    ),
    "segments/readers.yaml": (
        "segment: readers\nversion: 1\nstatus: approved\nenter: {trait: topic, equals: coverage}\n"
    ),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n"
        f"segments: {{any: [visitors, readers]}}\ncontent: {CONTENT}\n"
    ),
}


def subjects(person: str) -> tuple[str, str]:
    """Name the two subjects of a person, each of which lives in a partition of its own: the alias, and its end."""
    found: dict[int, str] = {}
    for n in range(100):
        name = f"hcp:{person}-{n}"
        found.setdefault(partition_of(name.encode(), PARTITIONS), name)
    return found[0], found[1]


PEOPLE = {each: subjects(each) for each in TOLD}
EVERYBODY = [subject for both in PEOPLE.values() for subject in both]


@dataclass
class World:
    """A deployment whose people were all erased, and a backup of its Redis from before."""

    segue: Segue
    valkey: ValkeyServer
    begins_anew: bool
    folder: Path
    stack: ExitStack
    told: dict[str, str] = field(default_factory=dict)
    """By person: the lines that were sent before the erasure."""

    def start(self) -> None:
        """Start a worker."""
        self.worker = self.stack.enter_context(self.segue.started("worker"))

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Let the worker end in order, and start another."""
        assert stop(self.worker).status == 0
        yield
        self.start()
        self.settle()

    def settle(self) -> None:
        """Wait until all input is applied, published and written; twice, because an effect may have been under way."""
        for _ in range(2):
            wait_for(self._is_written)

    def _is_written(self) -> bool:
        partitions = self.segue.done("lag", "--json").json["partitions"]
        return all(not each["lag_records"] and each["applied"] >= each["published"] for each in partitions)

    def send(self, lines: str) -> None:
        """Send events, and wait until they are applied."""
        self.segue.done("send", "-", stdin=lines)
        self.settle()

    def seen(self, *whom: str) -> dict[str, Any]:
        """Return what each subject is and is in, and how many changes were ever published of it."""
        held = self.segue.done("privacy", *whom, "--json").json
        return {each["subject"]: self._seen(each) for each in held["subjects"]}

    def _seen(self, held: Any) -> dict[str, Any]:
        explained = self.segue.done("explain", held["subject"], "--json").json
        return {
            "stands": held["stands"],
            "known_since": explained["known_since"],
            "traits": explained["traits"],
            "in": [each["segment"] for each in explained["segments"] if each["member"]],
            "active": [each["activation"] for each in explained["activations"] if each["active"]],
            "changes": {
                place["topic"]: (place["records"], place["standing"])
                for place in held["topics"]
                if place["topic"] != self.segue.environment["SEGUE_EVENTS_TOPIC"]
            },
        }

    def nothing_of_before(self, person: str) -> dict[str, Any]:
        """See that nothing of the time before the erasure is known of a person; return what is seen of the person."""
        alias, end = PEOPLE[person]
        found = self.seen(alias, end)
        assert found.keys() == {alias, end}, "the link is there again"
        assert [found[each]["in"] + found[each]["active"] for each in (alias, end)] == [[], []]
        assert found[alias]["stands"] == "erased"
        assert found[end]["stands"] == ("held" if self.begins_anew else "erased")
        assert not any(found[alias]["traits"].values())
        assert not any(found[end]["traits"].values())
        assert all(standing == 0 for each in found.values() for _, standing in each["changes"].values())
        return found


@pytest.fixture(scope="module", params=["refuse", "begin_anew"])
def world(
    request: pytest.FixtureRequest, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """People who were erased. Under `begin_anew` the end of each link has one event after the erasure."""
    folder = tmp_path_factory.mktemp("resurrection")
    with ExitStack() as stack:
        valkey = stack.enter_context(running_valkey())
        made = Quick(deployment(unique("risen"), kafka.bootstrap, valkey.redis_url, PARTITIONS).environment)
        made.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{made.environment['SEGUE_GROUP']}.activation"
        made.forked = stack.enter_context(Forked(made, folder))
        files = {**FILES, "policy.yaml": f"erasure: {{afterwards: {request.param}}}\n"}
        made.done("topics")
        made.done("apply", write_catalogue(folder / "rules", files))
        world = World(made, valkey, request.param == "begin_anew", folder, stack)
        world.start()
        for person, (alias, end) in PEOPLE.items():
            world.told[person] = (
                event(alias, "portal.login", "old-1", topic="coverage")
                + event(end, "portal.login", "old-2", topic="coverage")
                + event(alias, "identity.linked", "old-3", canonical=end)
            )
        world.send("".join(world.told.values()))
        ends = sorted(end for _, end in PEOPLE.values())
        for segment in ("visitors", "readers"):
            wait_for(partial(has_members, made, segment, ends))
        world.settle()
        with redis.Redis.from_url(valkey.redis_url) as client:
            client.save()
        shutil.copy(valkey.folder / "dump.rdb", folder / "before.rdb")
        world.send("".join(event(alias, "privacy.erased", f"forget-{alias}") for alias, _ in PEOPLE.values()))
        wait_for(lambda: made.done("privacy", *EVERYBODY, "--json").json["stands"] == "erased")
        if world.begins_anew:
            world.send("".join(event(each, "portal.login", "new-1") for each in ends))
        yield world
        assert stop(world.worker).status == 0


def has_members(segue: Segue, segment: str, whom: list[str]) -> bool:
    """Tell whether exactly these are in a segment."""
    return sorted(each["profile"] for each in segue.done("members", segment, "--json").lines) == whom


def test_late_duplicates_bring_nobody_back(world: World) -> None:
    stood = world.nothing_of_before("late")
    world.send(world.told["late"])
    assert world.nothing_of_before("late") == stood


def test_a_producer_that_goes_on_sending_brings_nobody_back(world: World) -> None:
    """Under `begin_anew` it begins a profile that counts from one, and that the old link does not tie to another."""
    alias, end = PEOPLE["on"]
    stood = world.nothing_of_before("on")
    world.send(event(alias, "portal.login", "on-1"))
    after = world.seen(alias, end)
    assert after[end] == stood[end]
    if not world.begins_anew:
        assert after == stood
        return
    assert (after[alias]["stands"], after[alias]["in"], after[alias]["traits"]) == ("held", [], stood[end]["traits"])
    assert after[alias]["known_since"] > stood[end]["known_since"]
    world.send(event(alias, "portal.login", "on-2"))
    assert world.seen(alias)[alias]["in"] == ["visitors"]
    assert world.seen(end)[end] == stood[end]


def test_a_replay_of_the_dumped_log_brings_nobody_back(world: World) -> None:
    stood = world.nothing_of_before("replayed")
    log = Published(world.segue, PARTITIONS)
    replayed = [json.loads(line) for n in range(PARTITIONS) for line in log.dumped(n, world.folder)[1]]
    for subject, found in stood.items():
        changes = [each for each in replayed if each["profile"] == subject]
        published = [records for topic, (records, _) in found["changes"].items() if not topic.endswith(".current")]
        assert len(changes) == sum(published) > 0
        last = {each.get("segment") or each["activation"]: each for each in changes}
        assert {each["change"] for each in last.values()} == {"exited", "deactivated"}


@pytest.mark.parametrize("which", ["one", "all"])
def test_a_rebuild_brings_nobody_back(world: World, which: str) -> None:
    person = "rebuilt-one" if which == "one" else "rebuilt"
    stood = world.nothing_of_before(person)
    with world.without_worker():
        world.segue.done(
            "rebuild", "--force", *([partition_of(PEOPLE[person][1].encode(), 2)] if which == "one" else [])
        )
    assert world.nothing_of_before(person) == stood
    world.send(world.told[person])
    assert world.nothing_of_before(person) == stood


def test_a_backup_of_redis_from_before_the_erasure_brings_nobody_back(world: World) -> None:
    stood = world.nothing_of_before("restored")
    with world.without_worker():
        world.valkey.kill()
        shutil.copy(world.folder / "before.rdb", world.valkey.folder / "dump.rdb")
        world.valkey.restart()
        alias, end = PEOPLE["restored"]
        held = world.segue.done("privacy", alias, "--json").json
        assert {each["subject"]: each["stands"] for each in held["subjects"]} == {alias: "held", end: "held"}
        assert has_members(world.segue, "visitors", sorted(each for _, each in PEOPLE.values()))
    assert world.nothing_of_before("restored") == stood
    world.send(world.told["restored"])
    assert world.nothing_of_before("restored") == stood
    for segment in ("visitors", "readers"):
        assert all(each["profile"] != end for each in world.segue.done("members", segment, "--json").lines)

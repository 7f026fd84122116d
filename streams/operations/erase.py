"""Erase people: send `privacy.erased` for each, wait until every subject of theirs is erased, and tell what they left.

(1) Find the person's subjects, and where the output topics of their partitions end.
(2) Record that the erasure is asked for (streams/wire/erasures.py). A crash here: the event may not be in the log.
(3) Send the event, acknowledged by all replicas. A crash here: the event is in the log, and workers carry it out.
(4) Wait until the state of every subject has that erasure. State is written after its changes are published.
(5) Read what was published since (1) with the reason `erased`, and record which channels it tells.

Running it again erases again, with a later time: that changes nothing for who has no newer facts.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, TypeAlias

import orjson
from aiokafka import TopicPartition

from rules.engine.persons.packed import Identity
from rules.engine.profile import Profile
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from rules.language.dictionary import ERASED
from streams.clock import SystemClock
from streams.operations.errors import Unreachable
from streams.operations.persons import PersonFound, profiles_of
from streams.operations.provision import channels_in_force
from streams.operations.send import send_lines
from streams.operations.servers import Servers
from streams.operations.shadow import records
from streams.wire.erasures import ErasureAsked, ErasureRecord, ErasureTold, erasure_record
from streams.wire.names import channel_topics, restricted_topics

SOURCE: Final = "/segue/erase"
LOOK_S: Final = 0.3
REASON: Final = "erased"

OnErased: TypeAlias = Callable[[int, int], None]
"""Is called with (subjects that are erased, subjects of the person) while it waits."""


class NotErasedYet(Unreachable):
    """The event is in the log, and workers have not carried it out in time."""

    def __init__(self, erased: int, subjects: int, seconds: int) -> None:
        super().__init__(
            f"the erasure is in the log, but after {seconds} s only {erased} of {subjects} subjects are erased in"
            " Redis: see that workers run (`segue lag`); it is carried out as soon as they do, so do not send it again"
        )


@dataclass(frozen=True, slots=True)
class Left:
    """A change with the reason `erased`: what one subject left."""

    subject: str
    channel: str | None
    """None: a segment's change."""
    name: str
    """The segment, or the activation."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A channel told of a subject earlier and had nothing to end now: no change tells its platform."""

    subject: str
    channel: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of one person."""

    subject: str
    """The one that was named."""
    subjects: tuple[str, ...]
    id: str
    """The erasure's id; its source is SOURCE."""
    at_ms: int
    left: tuple[Left, ...]
    silent: tuple[Silent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "subject": self.subject,
            "subjects": list(self.subjects),
            "id": self.id,
            "source": SOURCE,
            "at": format_instant(self.at_ms),
            "left": [{"subject": each.subject, "channel": each.channel, "name": each.name} for each in self.left],
            "silent": [{"subject": each.subject, "channel": each.channel} for each in self.silent],
        }


@dataclass(slots=True)
class _Before:
    """Where the output topics ended before the event was sent."""

    channels: dict[str, str | None] = field(default_factory=dict)
    """By topic: its channel; None: changes of segments."""
    ends: dict[TopicPartition, int] = field(default_factory=dict)


async def erase(
    servers: Servers,
    person: PersonFound,
    request: str | None,
    *,
    wait_s: int = 60,
    on_erased: OnErased = lambda *_: None,
) -> Erased:
    """Erase one person. Raises NotErasedYet, TopicMissing, NoState, OtherState; Unreachable."""
    subjects = tuple(person.profiles)
    before = await _before(servers, subjects)
    at_ms = SystemClock().wall_ms()
    erasure = Identity(at_ms, SOURCE, secrets.token_hex(12))
    name = f"{erasure.source} {erasure.id}"
    await _record(servers, person.asked, ErasureAsked(name, request, format_instant(at_ms), len(subjects)))
    await send_lines(servers, _lines([event_of(person.asked, erasure, request)]))
    await _wait(servers, subjects, erasure, wait_s, on_erased)
    left = [each async for each in _left(servers, subjects, before)]
    told = {(each.subject, each.channel) for each in left}
    silent = [Silent(*each) for each in sorted(person.channels_told()) if each not in told]
    tells = Counter(each.channel for each in left if each.channel is not None)
    await _record(servers, person.asked, ErasureTold(name, tells, Counter(each.channel for each in silent)))
    return Erased(person.asked, subjects, erasure.id, at_ms, tuple(left), tuple(silent))


def event_of(subject: str, erasure: Identity, request: str | None) -> bytes:
    """Write the event of an erasure as a line."""
    event = {
        "specversion": "1.0",
        "id": erasure.id,
        "source": erasure.source,
        "type": ERASED,
        "subject": subject,
        "time": format_instant(erasure.time_ms),
    }
    return orjson.dumps(event if request is None else event | {"data": {"request": request}})


async def _lines(lines: Sequence[bytes]) -> AsyncIterator[tuple[int, Sequence[bytes]]]:
    yield 0, lines


async def _record(servers: Servers, asked: str, said: ErasureRecord) -> None:
    deployment = servers.deployment
    partition = partition_of(asked.encode(), deployment.partitions)
    await servers.log.append(erasure_record(deployment.erasures_topic, partition, said))


async def _before(servers: Servers, subjects: Sequence[str]) -> _Before:
    deployment, found = servers.deployment, _Before()
    await servers.expect_topics(deployment.erasures_topic)
    async with servers.cluster() as cluster:
        channels = await channels_in_force(cluster, servers.log, deployment)
    found.channels = {deployment.membership_topic: None, restricted_topics(deployment)[0]: None}
    found.channels |= {channel_topics(deployment, channel)[0]: channel for channel in channels}
    for partition in sorted({partition_of(each.encode(), deployment.partitions) for each in subjects}):
        for topic in found.channels:
            _, found.ends[TopicPartition(topic, partition)] = await servers.log.offsets(topic, partition)
    return found


async def _wait(servers: Servers, subjects: Sequence[str], erasure: Identity, wait_s: int, on_erased: OnErased) -> None:
    """Wait until each subject has this erasure or a later one."""
    waiting, until_s = list(subjects), monotonic() + wait_s
    while True:
        profiles = await profiles_of(servers, waiting)
        waiting = [each for each in waiting if not _has(profiles[each], erasure)]
        on_erased(len(subjects) - len(waiting), len(subjects))
        if not waiting:
            return
        if monotonic() >= until_s:
            raise NotErasedYet(len(subjects) - len(waiting), len(subjects), wait_s)
        await asyncio.sleep(LOOK_S)


def _has(profile: Profile | None, erasure: Identity) -> bool:
    return profile is not None and profile.person is not None and not profile.person.newly_erased_by(erasure)


async def _left(servers: Servers, subjects: Sequence[str], before: _Before) -> AsyncIterator[Left]:
    """Read the changes of these subjects, with the reason `erased`, since the event was sent."""
    keys = {each.encode(): each for each in subjects}
    for at, start in before.ends.items():
        _, end = await servers.log.offsets(at.topic, at.partition)
        if end == start:
            continue
        async with servers.reading(at.topic) as (consumer, _):
            consumer.assign([at])
            consumer.seek(at, start)
            async for record in records(consumer, at, end):
                change = orjson.loads(record.value or b"{}") if record.key in keys else {}
                if change.get("reason", {}).get("kind") == REASON:
                    name = change.get("segment") or change["activation"]
                    yield Left(keys[record.key or b""], before.channels[at.topic], name)

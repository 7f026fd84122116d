"""A chain of overlapping journeys: a profile is never active in two journeys of a group.

Six journeys of one exclusive group, each over two channels, entered and left by events and by time; a worker is killed
with -9 in the middle. The run checks these claims on the changes that a `read_committed` reader got:

1. *In each channel, strictly by offset*: no record leaves a profile active in two journeys.
2. *Across channels, by the instants that the changes bear*: the stays of two journeys of a profile, each from its
   `activated` to its `deactivated`, never overlap.
3. *Across channels, in the order in which they were decided*: no change leaves a profile active in two journeys. The
   checker's model gives that order, and Segue published in it: each topic holds its part to the byte, and every
   progress record holds the digest of all changes in that order.

Not claimed, because no reader can see it: an order of records between topics. One transaction publishes the end of one
journey and the beginning of another together, but its records become visible partition by partition; who reads two
channels may for a moment have read the beginning in the one and not yet the end in the other, and learns from the
instants that the end came first.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from tests.faults.catalogues import CHANNELS, Activation, Rules, Segment
from tests.faults.checker import Counted, Names, Violated, expected
from tests.faults.model import Change
from tests.faults.reading import Records
from tests.faults.stage import Servers, deployment, store
from tests.faults.traffic import Mix

_SEGMENTS: Final = (
    Segment("a-known", "everyone"),
    Segment("b-returning", "logins", count=2, length_ms=20_000),
    Segment("c-quiet", "quiet", length_ms=15_000),
    Segment("d-gold", "tier", value="gold"),
    Segment("e-left", "left", length_ms=5_000),
    Segment("f-regular", "logins", count=3),
)
CHAIN: Final = Rules(
    _SEGMENTS,
    activations=tuple(
        Activation(f"{one.id}-{channel}", channel, every=(one.id,), journey=f"journey-{one.id}", priority=rank)
        for rank, one in enumerate(_SEGMENTS)
        for channel in CHANNELS
    ),
    caps=(),
)
"""Each segment has a journey of its own, the later ones before the earlier."""


@dataclass(frozen=True)
class Shown:
    """What a run came to."""

    profiles: int
    """Seen active."""
    hand_overs: int
    """Evaluations in which one journey of a profile ended and another began."""
    counted: Counted


def check_by_offset(where: str, changes: Iterable[Mapping[str, Any]]) -> None:
    """Check 1 (or 3): fold changes in order; nobody is ever active in two journeys."""
    active: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for change in changes:
        mine = active[change["profile"]]
        if change["change"] == "activated":
            mine[change["activation"]] = change["journey"]
        else:
            del mine[change["activation"]]
        if len(set(mine.values())) > 1:
            raise Violated(f"J0 {where}: after {change['id']} {change['profile']} is active in {sorted(mine.values())}")


def check_by_instants(changes: Iterable[Mapping[str, Any]]) -> None:
    """Check 2: stays of two journeys of one profile do not overlap, whatever the channel. In order within a channel."""
    stays: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    since: dict[tuple[str, str], str] = {}
    for change in changes:
        key = change["profile"], change["activation"]
        if change["change"] == "activated":
            since[key] = change["effective_at"]
        else:
            stays[change["profile"]].append((since.pop(key), change["effective_at"], change["journey"]))
    activations = {f"{one.id}": one.journey for one in CHAIN.activations}
    for (profile, name), began in since.items():
        stays[profile].append((began, "9", activations[name]))
    for profile, those in stays.items():
        until: dict[str, str] = {}
        for began, ended, journey in sorted(those):
            if any(began < end and began < ended for other, end in until.items() if other != journey):
                raise Violated(f"J0 {profile}: {journey} began at {began}, before another had ended")
            until[journey] = max(ended, until.get(journey, ""))


def check(names: Names, found: Records, decided: Sequence[Sequence[Change]]) -> tuple[int, int]:
    """Check all three of every partition; `decided`: the changes of each in canonical order.

    Returns how many profiles were active, and how many hand-overs there were.
    """
    profiles: set[str] = set()
    hand_overs = 0
    for partition in range(names.partitions):
        published = []
        for stream in names.streams[1:]:
            records = found[TopicPartition(stream.topic, partition)]
            changes = [json.loads(record.value) for record in records]
            check_by_offset(f"{stream.channel} partition {partition}", changes)
            published += changes
        check_by_instants(published)
        in_order = [json.loads(change.value) for change in decided[partition] if change.channel]
        check_by_offset(f"partition {partition}, as decided", in_order)
        profiles |= {change["profile"] for change in published}
        taken = Counter(
            (change["profile"], change["effective_at"])
            for change in published
            if change["reason"]["kind"] == "exclusive_group"
        )
        hand_overs += len(taken)
    return len(profiles), hand_overs


async def show(servers: Servers, seed: int, profiles: int, events: int, per_second: int) -> Shown:
    """Run it. Raises Violated."""
    mix = Mix(people=profiles, per_second=per_second)
    with store(servers.folder) as valkey:
        async with deployment(servers, valkey, seed, mix=mix, rules=CHAIN) as run:
            run.worker()
            victim = run.worker()
            await run.ready(*run.alive)
            await run.send(events // 2)
            victim.kill()
            await run.send(events // 4)
            run.worker()
            await run.send(events - events // 2 - events // 4)
            counted = await run.finish()
            found = run.observer.found
            inputs = (found[TopicPartition(run.names.events, n)] for n in range(run.names.partitions))
            decided = await asyncio.to_thread(lambda: [expected(records, [CHAIN]).changes for records in inputs])
            active, hand_overs = check(run.names, found, decided)
            return Shown(active, hand_overs, counted)

"""Racing pairs of withdrawal and entry: nothing is active after a withdrawal.

Every profile has granted consent. Then two producers race. One sends the event by which the profile enters the segment
of two activations (one for each channel), the other sends the profile's withdrawal of all consent; a coin decides which
producer sends which. The record that comes first in the input decides the changes of each channel, by offset:

- the entry first: `activated`, then `deactivated` with the reason `consent`, by that withdrawal, and no other change;
- the withdrawal first: no change.

Some profiles grant again later and must then be active: so the run can tell "no change" from "not processed yet". A
worker is killed with -9 during the race.
"""

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition

from tests.faults.catalogues import CHANNELS, Activation, Rules, Segment
from tests.faults.checker import Counted, Names, Violated
from tests.faults.model import instant
from tests.faults.reading import Records
from tests.faults.stage import Servers, deployment, store

RACE: Final = Rules(
    (Segment("d-gold", "tier", value="gold"),),
    activations=tuple(
        Activation(f"gold-{channel}", channel, every=("d-gold",), grouped=False, purpose="promotional")
        for channel in CHANNELS
    ),
    caps=(),
)
_GRANT: Final = ("consent.granted", {"channel": "all", "purpose": "promotional"})
KINDS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "grant": _GRANT,
    "entry": ("portal.login", {"tier": "gold"}),
    "withdrawal": ("consent.withdrawn", {}),
    "again": _GRANT,
}
"""What is sent: type and data."""
GRANT_AGAIN_EVERY: Final = 50
"""One profile in so many grants consent again after the race."""


@dataclass(frozen=True)
class Shown:
    """What a run came to."""

    pairs: int
    entry_first: int
    withdrawal_first: int
    granted_again: int
    counted: Counted


def event(kind: str, number: int) -> bytes:
    """Write an event of a profile, now. Its id says what it is."""
    type_, data = KINDS[kind]
    value = {
        "specversion": "1.0",
        "id": f"{kind}-{number}",
        "source": "/race",
        "type": type_,
        "subject": f"hcp:{number}",
        "time": instant(time.time_ns() // 1_000_000),
        "data": data,
    }
    return json.dumps(value).encode()


async def _send(bootstrap: str, topic: str, those: Sequence[tuple[str, int]], per_second: int) -> None:
    """Send one event of each (kind, number), at a pace."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2)
    await producer.start()
    try:
        began_s = time.monotonic()
        waiting = []
        for sent, (kind, number) in enumerate(those):
            if sent % 10 == 0:
                await asyncio.sleep(max(0.0, began_s + sent / per_second - time.monotonic()))
            waiting.append(await producer.send(topic, event(kind, number), key=f"hcp:{number}".encode()))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


def first_of_pairs(names: Names, found: Records) -> dict[str, str]:
    """Which came first in the input, entry or withdrawal, by profile."""
    first: dict[str, str] = {}
    for partition in range(names.partitions):
        for record in found[TopicPartition(names.events, partition)]:
            one = json.loads(record.value)
            kind = one.get("id", "").partition("-")[0]
            if kind in ("entry", "withdrawal"):
                first.setdefault(one["subject"], kind)
    return first


def check(names: Names, found: Records, pairs: int) -> tuple[int, int, int]:
    """Check every profile in every channel. Returns: entries first, withdrawals first, profiles active again."""
    first = first_of_pairs(names, found)
    if len(first) != pairs:
        raise Violated(f"Q0 {len(first)} of {pairs} pairs are in the input")
    again: set[str] = set()
    for stream in names.streams[1:]:
        told: defaultdict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
        for partition in range(names.partitions):
            for record in found[TopicPartition(stream.topic, partition)]:
                one = json.loads(record.value)
                told[one["profile"]].append((one["change"], one["reason"]["kind"], tuple(one["reason"]["events"])))
        for profile, which in first.items():
            number = profile.partition(":")[2]
            wanted: list[tuple[str, str, tuple[str, ...]]] = []
            if which == "entry":
                wanted = [
                    ("activated", "allowed", (f"/race entry-{number}",)),
                    ("deactivated", "consent", (f"/race withdrawal-{number}",)),
                ]
            if int(number) % GRANT_AGAIN_EVERY == 0:
                wanted.append(("activated", "allowed", (f"/race again-{number}",)))
                again.add(profile)
            if told[profile] != wanted:
                raise Violated(f"W0 {stream.channel}: {profile} came to {told[profile]}, expected {wanted}")
    entries = sum(which == "entry" for which in first.values())
    return entries, len(first) - entries, len(again)


async def show(servers: Servers, seed: int, pairs: int, per_second: int) -> Shown:
    """Run it. Raises Violated."""
    rng = random.Random(seed)
    with store(servers.folder) as valkey:
        async with deployment(servers, valkey, seed, rules=RACE) as run:
            run.worker()
            victim = run.worker()
            await run.ready(*run.alive)
            to = run.names.bootstrap, run.names.events
            everybody = list(range(pairs))
            await _send(*to, [("grant", n) for n in everybody], per_second * 2)
            rng.shuffle(everybody)
            # one sends half of the entries and half of the withdrawals, the other the rest: neither has a head start
            one = [(rng.choice(("entry", "withdrawal")), n) for n in everybody]
            other = [("withdrawal" if kind == "entry" else "entry", n) for kind, n in one]

            async def kill() -> None:
                await asyncio.sleep(pairs / per_second / 2)
                victim.kill()
                run.worker()

            await asyncio.gather(
                _send(*to, one, per_second),
                _send(*to, other, per_second),
                kill(),
            )
            await _send(*to, [("again", n) for n in range(0, pairs, GRANT_AGAIN_EVERY)], per_second)
            counted = await run.finish()
            return Shown(pairs, *check(run.names, run.observer.found, pairs), counted)

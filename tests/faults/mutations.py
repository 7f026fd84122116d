"""Safeties switched off, one at a time: a fault run, or the simulation, must notice each.

| mutation     | what is off                                                               |
|--------------|---------------------------------------------------------------------------|
| token        | the compare-and-set of the token: every write applies, every read is fine  |
| epoch        | the epoch: a store with a higher one takes and tells everything all the same |
| fencing      | the fencing of earlier claimants, claim step 3                             |
| deliveries   | the awaiting of deliveries before the commit                               |
| progress     | the read-back of progress: what `meta` says counts as published            |
| wall-clock   | time as a record: every record is taken for one of now                     |
| ticks        | the ticks: nobody appends one                                              |
| order        | the canonical order: what several wakes publish comes out the other way    |
| apart        | the one transaction: effects are published in one of their own, before       |
| withdrawals  | what a link brought is not taken back: the record of it does nothing         |
| twice        | each contribution is written twice                                         |
| late-exit    | who leaves for a link does so in the transaction after that of the effects   |
| clock:N      | no safety: the worker's wall clock is N ms off (fault 11)                  |

Each is put over the product from outside; see `worker`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from streams.log import client as kafka_log
from streams.store import redis as redis_store
from streams.store.terms import Meta, Token
from tests.models import log as memory_log
from tests.models import store as memory_store

Patch = tuple[Any, str, Any]


def _token() -> list[Patch]:
    stores = (redis_store, memory_store)
    always: list[Patch] = [(one, "judge_write", lambda stored, expect, new: True) for one in stores]
    fine: list[Patch] = [(one, "judge_read", lambda stored, expect: None) for one in stores]
    from streams.partition.checkpoints import Checkpoints

    async def probe(self: Any) -> None:
        self._heard()

    return [*always, *fine, (Checkpoints, "probe", probe)]


def _epoch() -> list[Patch]:
    from streams.store.outcomes import judge_read, judge_write

    def write(stored: Token | None, expect: Token, new: Token) -> bool:
        return (stored is not None and stored.epoch > new.epoch) or judge_write(stored, expect, new)

    def read(stored: Token | None, expect: Sequence[Token]) -> None:
        if stored is None or stored.epoch <= max(one.epoch for one in expect):
            judge_read(stored, expect)

    stores = (redis_store, memory_store)
    return [patch for one in stores for patch in ((one, "judge_write", write), (one, "judge_read", read))]


def _fencing() -> list[Patch]:
    async def fence(self: Any, transactional_id: str) -> None:
        """Fence nobody."""

    return [(kafka_log.KafkaLog, "fence", fence), (memory_log.MemoryLog, "fence", fence)]


def _deliveries() -> list[Patch]:
    from aiokafka import errors
    from aiokafka.structs import RecordMetadata

    from streams.log.sender import TransactionSender

    deliver = TransactionSender.deliver

    async def swallowed(self: Any, builders: Any) -> Any:
        """Go on although a batch was refused."""
        try:
            return await deliver(self, builders)
        except errors.KafkaError:
            return {where: RecordMetadata(*where, where, -1, -1, 0, None) for where in builders}

    return [(TransactionSender, "deliver", swallowed)]


def _apart() -> list[Patch]:
    from streams.log.producer import Producer

    publish = Producer.publish

    async def twice(self: Any, records: Any) -> list[int]:
        effects = [one for one in records if b'"type":"segue.facts"' in (one.value or b"")]
        if effects:
            await publish(self, effects)
        return await publish(self, [one for one in records if one not in effects])

    return [(Producer, "publish", twice)]


def _withdrawals() -> list[Patch]:
    from rules.engine.persons.effects import WITHDRAWN_TYPE
    from rules.engine.persons.remote import Remote

    receive = Remote.receive

    def but(self: Any, received: Any, at: Any) -> None:
        if received.type != WITHDRAWN_TYPE:
            receive(self, received, at)

    return [(Remote, "receive", but)]


def _twice() -> list[Patch]:
    from streams.log.producer import Producer

    publish = Producer.publish

    async def again(self: Any, records: Any) -> list[int]:
        effects = [one for one in records if b'"type":"segue.facts"' in (one.value or b"")]
        offsets: list[int] = await publish(self, [*records, *effects])
        return offsets[: len(records)]

    return [(Producer, "publish", again)]


def _late_exit() -> list[Patch]:
    from streams.log.producer import Producer

    publish = Producer.publish
    waiting: list[Any] = []

    async def late(self: Any, records: Any) -> list[int]:
        marks = (b'"change":"exited"', b'"kind":"merged"')
        leaves = [one for one in records if all(mark in (one.value or b"") for mark in marks)]
        before = waiting[:]
        waiting[:] = leaves
        await publish(self, [*before, *(one for one in records if one not in leaves)])
        return [-1] * len(records)

    return [(Producer, "publish", late)]


def _progress() -> list[Patch]:
    from streams.partition import claim
    from streams.wire.progress import Progress

    def published(last: Any, meta: Meta) -> Progress:
        return Progress(meta.generation, -1, meta.offset, meta.clock_ms, meta.catalogue, meta.digest)

    return [(claim, "_published", published)]


def _wall_clock() -> list[Patch]:
    from rules.engine.record import Record
    from streams.partition import applier

    def of_now(offset: int, timestamp: Any, *rest: Any) -> Any:
        return Record(offset, time.time_ns() // 1_000_000, *rest)

    return [(applier, "Record", of_now)]


def _ticks() -> list[Patch]:
    from streams.partition.ticks import Ticks

    return [(Ticks, "wanted", lambda self, due_ms, wall_ms: False)]


def _order() -> list[Patch]:
    from rules.engine.wakes import Wakes

    fire = Wakes.fire

    def backwards(self: Any, before_ms: int, items: list[Any], *rest: Any) -> Any:
        before = len(items)
        done = fire(self, before_ms, items, *rest)
        # each profile's own order stays
        items[before:] = sorted(items[before:], key=lambda item: item.subject, reverse=True)
        return done

    return [(Wakes, "fire", backwards)]


def _clock(off_ms: int) -> list[Patch]:
    from streams.clock import SystemClock

    return [(SystemClock, "wall_ms", lambda self: time.time_ns() // 1_000_000 + off_ms)]


MUTATIONS: dict[str, Callable[[], list[Patch]]] = {
    "token": _token,
    "epoch": _epoch,
    "fencing": _fencing,
    "deliveries": _deliveries,
    "apart": _apart,
    "withdrawals": _withdrawals,
    "twice": _twice,
    "late-exit": _late_exit,
    "progress": _progress,
    "wall-clock": _wall_clock,
    "ticks": _ticks,
    "order": _order,
}


def patches(name: str) -> list[Patch]:
    """Return the patches of a mutation: (object, attribute, new value)."""
    if name.startswith("clock:"):
        return _clock(int(name.partition(":")[2]))
    return MUTATIONS[name]()


def mutate(name: str) -> None:
    """Switch a safety off, in this process, for good."""
    for place, attribute, instead in patches(name):
        setattr(place, attribute, instead)

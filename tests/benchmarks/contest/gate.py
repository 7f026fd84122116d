"""The gate: on a sample, an engine's changes must be the naive evaluator's. An engine that fails has no rank.

Compared are, for each profile and segment, the sequences of (change, events that made it). What comes after the last
record of the input is left out: the clock of a partition stands there. Segue's bytes are compared elsewhere (docs/
verify.md); here every engine is held to the same.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from rules.ground.instants import format_instant
from tests.benchmarks.contest.sizes import Size
from tests.benchmarks.contest.turn import Turns, seconds_of
from tests.benchmarks.load.catalogue import texts_of
from tests.benchmarks.load.plan import Plan
from tests.naive.reading import read_folder
from tests.naive.replay import replay

BACKLOG: Final = 15
"""Events of the sample's backlog for each profile."""
TOLD: Final = 3
"""Differences that are named."""

Sequences = Mapping[tuple[str, str], list[tuple[str, tuple[str, ...]]]]
"""By profile and segment: (change, events)."""


def sample_size(size: Size) -> Size:
    """Return the size of the sample's run."""
    return replace(size, profiles=size.sample, backlog=size.sample * BACKLOG, wakes=size.sample, wakes_s=2)


def judge(turns: Turns) -> str:
    """Run the sample on its own ground, and return `passed` or what differs; blocks."""
    turns.preload()
    turns.drain()
    turns.wakes()
    turns.tick()
    turns.stop()
    engine, ground = turns.engine, turns.ground
    inputs = asyncio.run(read_all(ground.bootstrap, engine.events_topic(ground), ground.partitions))
    outputs = asyncio.run(read_all(ground.bootstrap, engine.changes_topic(ground), ground.partitions))
    until_ms = {
        record.key.decode(): (records[-1] if engine.has_timers else record).timestamp
        for records in inputs.values()
        for record in records
        if record.key
    }
    changes = (json.loads(record.value) for records in outputs.values() for record in records)
    wanted = sequences(until(until_ms, expected(turns.plan, inputs, ground.folder / "naive")))
    got = sequences(until(until_ms, changes))
    left_out = {one.id for one in turns.plan.segments if one.kind in engine.cannot}
    return difference(wanted, got, left_out)


def expected(plan: Plan, inputs: Mapping[int, Sequence[ConsumerRecord]], folder: Path) -> Iterable[dict[str, Any]]:
    """Return what the naive evaluator makes of the input's events; records without an event are left out."""
    for name, text in texts_of(Plan(plan.segments)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    catalogue = read_folder(folder)
    for records in inputs.values():
        lines = [
            json.dumps({**json.loads(record.value), "recordedtime": format_instant(record.timestamp)}).encode()
            for record in records
            if not record.headers
        ]
        for change in replay(catalogue, lines, until=records[-1].timestamp).changes:
            yield json.loads(change)


def until(until_ms: Mapping[str, int], changes: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Leave out what happened after an instant of each profile: to an engine without timers, its last event."""
    return (one for one in changes if seconds_of(one["effective_at"]) * 1000 <= until_ms[one["profile"]])


def sequences(changes: Iterable[Mapping[str, Any]]) -> Sequences:
    """Put membership changes by profile and segment, in their order."""
    found = defaultdict(list)
    for change in changes:
        if "segment" in change:
            events = change["events"] if "events" in change else change["reason"]["events"]
            found[change["profile"], change["segment"]].append((change["change"], tuple(events)))
    return found


def difference(wanted: Sequences, got: Sequences, left_out: set[str]) -> str:
    """Return `passed`, or how many sequences differ and what some of them are."""
    keys = sorted(key for key in {*wanted, *got} if key[1] not in left_out)
    wrong = [key for key in keys if wanted.get(key) != got.get(key)]
    if not wrong:
        return "passed"
    told = "; ".join(f"{key}: {wanted.get(key)}, not {got.get(key)}" for key in wrong[:TOLD])
    return f"failed: {len(wrong)} of {len(keys)} differ: {told}"


async def read_all(bootstrap: str, topic: str, partitions: int) -> dict[int, list[ConsumerRecord]]:
    """Read every committed record of a topic, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        assigned = [TopicPartition(topic, n) for n in range(partitions)]
        consumer.assign(assigned)
        await consumer.seek_to_beginning(*assigned)
        ends = await consumer.end_offsets(assigned)
        found: dict[int, list[ConsumerRecord]] = {n: [] for n in range(partitions)}
        while any([await consumer.position(tp) < ends[tp] for tp in assigned]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp.partition] += records
        return found
    finally:
        await consumer.stop()

"""Tests of a system that had cuts, with its own tools: verify it, replay its dump, rebuild its state."""

import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

import redis.asyncio
from msgspec import msgpack

from tests.faults.checker import Outcome, Violated
from tests.faults.stage import Run


async def audit(run: Run) -> None:
    """Check a deployment that stands still with its own tools. Raises Violated.

    `segue verify` finds nothing; `segue dump` and the command that it names give the published changes byte for byte,
    cuts included; and `segue rebuild` of an emptied store gives the state that was there.
    """
    await run.segue("verify")
    outcome = await Outcome.read(run.names, run.catalogues)
    for partition in range(run.names.partitions):
        await _replay(run, outcome, partition)
    client = redis.asyncio.Redis.from_url(run.names.redis_url)
    try:
        before = await _state(client, run)
        await client.flushall()
        await run.segue("rebuild")
        after = await _state(client, run)
    finally:
        await client.aclose()
    wrong = differing(before, after)
    if wrong:
        first = wrong[0]
        raise Violated(
            f"S0 rebuilt state differs in {len(wrong)} of {len(before)} keys;"
            f" {first} was {before.get(first)} and is {after.get(first)}"
        )


def differing(live: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> list[str]:
    """Return the keys whose rebuilt values are not the live ones, sorted.

    `meta` also tells which erasure keys ever named a subject of the partition. A rebuild knows only those that still
    do: whoever was erased, and began anew or had another linked to it since, has its name again.
    """
    hiding = {key.partition("}")[0] for key in rebuilt if "}:e:" in key}

    def comparable(found: Mapping[str, Any], key: str) -> Any:
        value = found.get(key)
        if isinstance(value, dict) and key.endswith("}:meta") and key.partition("}")[0] not in hiding:
            return {name: each for name, each in value.items() if name != b"erased"}
        return value

    keys = live.keys() | rebuilt.keys()
    return sorted(key for key in keys if not _same(comparable(live, key), comparable(rebuilt, key)))


STATES: Final = 10
"""The place of the conditions' states in a packed profile (rules/engine/layout.py)."""


def _same(live: Any, rebuilt: Any) -> bool:
    """Return whether a live value is the rebuilt one, apart from leftovers in a profile that nothing has touched since.

    What no window reaches any more is dropped when a profile is packed; a rebuild packs all of them at its end.
    """
    packed = isinstance(live, list) and isinstance(rebuilt, list) and len(live) == len(rebuilt) > STATES
    if not packed or not isinstance(live[STATES], dict):
        return bool(live == rebuilt)
    kept, needed = live[STATES], rebuilt[STATES]
    more = [one == kept.get(name) or all(each in kept[name] for each in one) for name, one in needed.items()]
    return live[:STATES] + live[STATES + 1 :] == rebuilt[:STATES] + rebuilt[STATES + 1 :] and all(more)


async def _replay(run: Run, outcome: Outcome, partition: int) -> None:
    file, folder = run.folder / f"dump-{partition}.ndjson", run.folder / f"cuts-{partition}"
    said = await run.segue("dump", str(partition), "-o", str(file), "--catalogues", str(folder))
    found = re.search(r"^segue (replay .*(?:\n.*)*)", said, re.MULTILINE)
    assert found is not None, said
    lines = (await run.segue(*shlex.split(found[1]))).encode().splitlines()
    for stream in run.names.streams:
        kind = f'"channel":"{stream.channel}"'.encode() if stream.channel else b'"segment":'
        replayed = [line for line in lines if kind in line]
        published = [record.value for record in outcome.of(stream.topic, partition)]
        # a replay also fires the wakes at its last instant; in a log they wait for the next record
        if replayed[: len(published)] != published:
            raise Violated(f"L0 partition {partition}: the replay of a dump gives other bytes for {stream.topic}")
        run.notes["replayed byte for byte"] = run.notes.get("replayed byte for byte", 0) + len(published)


async def _state(client: Any, run: Run) -> dict[str, Any]:
    """Return everything in the store but the tokens."""
    found: dict[str, Any] = {}
    async for key in client.scan_iter(match=f"{run.names.prefix}:*", count=1_000):
        name, kind = key.decode(), await client.type(key)
        if kind == b"string":
            # in a packed profile the order of names means nothing
            found[name] = msgpack.decode(await client.get(key), strict=False)
        elif kind == b"set":
            found[name] = await client.smembers(key)
        elif kind == b"zset":
            found[name] = await client.zrange(key, 0, -1, withscores=True)
        else:
            fields = await client.hgetall(key)
            found[name] = {field: value for field, value in fields.items() if field != b"token"}
    return found

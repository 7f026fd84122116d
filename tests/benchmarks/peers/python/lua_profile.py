"""The best design with Lua: one call an event of a Redis function that holds all segments, one key a profile."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.peers.python.lua_design import LUA, WAKES, Arrived
from tests.benchmarks.peers.python.segments import UPDATED, Segment, Trait
from tests.benchmarks.peers.python.wire import Change, dumps, loads


class FunctionAnEvent:
    """A function an event: it reads and writes the whole profile, and puts its changes into a list in Redis."""

    def __init__(self, client: Any, name: str, plan: Mapping[str, Any], segments: Sequence[Segment]) -> None:
        """Take a Redis client, and what every key begins with."""
        self._client = client
        self._name = name
        library = name.replace("-", "_")
        self._event, self._wake = f"{library}_event", f"{library}_wake"
        text = (LUA / "best.lua").read_text()
        self._library = text.replace("@NAME@", library).replace("@PLAN@", dumps(plan).decode())
        self._traits = {one.trait for one in segments if isinstance(one, Trait)}

    async def open(self) -> None:
        await self._client.function_load(self._library, replace=True)

    async def apply(self, partition: int, arrived: Sequence[Arrived], wakes_ms: int) -> list[Change]:
        wakes, outbox = f"{self._name}:wakes:{partition}", f"{self._name}:outbox:{partition}"
        due = await self._client.zrangebyscore(wakes, "-inf", wakes_ms, 0, WAKES)
        pipe = self._client.pipeline(transaction=False)
        for member in due:
            subject = member.decode()
            pipe.fcall(self._wake, 3, f"{self._name}:{subject}", wakes, outbox, subject, wakes_ms)
        for event, r_ms in arrived:
            subject, data = event.subject, event.data
            traits = {key: data[key] for key in self._traits & data.keys()} if event.type == UPDATED else None
            facts = (event.time_ms, event.name, event.type, data.get("topic", ""), data.get("score", -1))
            written = dumps(traits) if traits else b""
            pipe.fcall(self._event, 3, f"{self._name}:{subject}", wakes, outbox, subject, r_ms, *facts, written)
        pipe.lrange(outbox, 0, -1)
        replies = await pipe.execute()
        return [Change(found[0], found[1], found[2], int(found[3]), *found[4:]) for found in map(loads, replies[-1])]

    async def published(self, partition: int, changes: int) -> None:
        await self._client.ltrim(f"{self._name}:outbox:{partition}", changes, -1)

"""The idiomatic design with Lua: a script for each kind of rule, a key for each rule and subject.

A Python loop asks each rule whether it wants the event. Changes of different rules of one subject come in the order of
the calls, not of their instants. If a late event moves the subject's first time back, an absence rule learns of it with
its next event.
"""

from collections.abc import Sequence
from typing import Any

from tests.benchmarks.peers.python.lua_design import LUA, WAKES, Arrived
from tests.benchmarks.peers.python.segments import UPDATED, Absence, Count, Segment, Sequence2, Trait
from tests.benchmarks.peers.python.wire import Change, Event


class ScriptARule:
    """A script a rule: each event is a call for each rule that wants it, all of a batch in one pipeline."""

    def __init__(self, client: Any, name: str, segments: Sequence[Segment]) -> None:
        """Take a Redis client, and what every key begins with."""
        self._client = client
        self._name = name
        self._segments = segments
        self._by_id = {one.id: one for one in segments}
        self._scripts: dict[str, str] = {}
        self._sequences: dict[str, int] = {}

    async def open(self) -> None:
        head = (LUA / "head.lua").read_text()
        for kind in ("count", "absence", "trait", "sequence"):
            self._scripts[kind] = await self._client.script_load(head + (LUA / f"{kind}.lua").read_text())
        self._known = await self._client.script_load((LUA / "known.lua").read_text())

    async def apply(self, partition: int, arrived: Sequence[Arrived], wakes_ms: int) -> list[Change]:
        wakes = f"{self._name}:wakes:{partition}"
        due = await self._client.zrangebyscore(wakes, "-inf", wakes_ms, 0, WAKES, withscores=True)
        pipe = self._client.pipeline(transaction=False)
        asked: list[tuple[str, str, str, int] | None] = []
        for member, at_ms in due:
            subject, _, rule = member.decode().partition("|")
            self._call(pipe, wakes, self._by_id[rule], subject, (int(at_ms), "wake", 0, "", 0, 0, 0, 0))
            asked.append((subject, rule, "", 0))
        for event, r_ms in arrived:
            pipe.evalsha(self._known, 1, f"{self._name}:known:{event.subject}", event.time_ms)
            asked.append(None)
            for one in self._segments:
                wanted = _arguments(one, event)
                if wanted is not None:
                    self._call(pipe, wakes, one, event.subject, (r_ms, "event", event.time_ms, event.name, *wanted))
                    asked.append((event.subject, one.id, event.name, r_ms))
        replies = await pipe.execute()
        return [
            self._change(about, text.decode())
            for about, reply in zip(asked, replies, strict=True)
            if about is not None
            for text in reply
        ]

    async def published(self, partition: int, changes: int) -> None:
        """Nothing was kept."""

    def _call(self, pipe: Any, wakes: str, one: Segment, subject: str, more: tuple[Any, ...]) -> None:
        state = f"{self._name}:{one.id}:{subject}"
        kind = _script(one)
        keys = {
            "count": [f"{state}:times"],
            "absence": [f"{self._name}:known:{subject}"],
            "trait": [],
            "sequence": [f"{state}:waiting", f"{state}:seconds"],
        }[kind]
        pipe.evalsha(self._scripts[kind], 2 + len(keys), state, wakes, *keys, subject, one.id, *more)

    def _change(self, about: tuple[str, str, str, int], text: str) -> Change:
        subject, rule, name, r_ms = about
        how, at_ms = text.split()
        # what time did before the event came is not the event's
        name = name if int(at_ms) == r_ms else ""
        sequence = self._sequences[subject] = self._sequences.get(subject, 0) + 1
        return Change(subject, rule, how == "entered", int(at_ms), sequence, name)


def _script(one: Segment) -> str:
    if isinstance(one, Count):
        return "count"
    return "absence" if isinstance(one, Absence) else "trait" if isinstance(one, Trait) else "sequence"


def _arguments(one: Segment, event: Event) -> tuple[Any, ...] | None:
    """Return what a rule's script needs to know of an event; None: the rule does not want it."""
    first = one.match is not None and one.match.admits(event)
    if isinstance(one, Trait):
        if event.type != UPDATED or one.trait not in event.data:
            return None
        return event.data[one.trait], int(event.data[one.trait] in one.values)
    if isinstance(one, Absence):
        absent = event.type == one.absent
        return (one.within_ms, one.absent_ms, int(first), int(absent)) if first or absent else None
    if isinstance(one, Sequence2):
        second = one.then is not None and one.then.admits(event)
        return (one.within_ms, int(first), int(second)) if first or second else None
    return (one.within_ms, one.at_least) if isinstance(one, Count) and first else None

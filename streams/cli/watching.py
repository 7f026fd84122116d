"""Following the published changes, and saying the rule behind each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import orjson
from rich.text import Text

from rules.catalogue import Catalogue
from rules.logic import leaves
from streams.cli.console import Failure, out, write_line
from streams.cli.servers import Servers, compiled
from streams.wire import restricted_topics

POLL_MS: Final = 200
CATALOGUES_AGAIN_S: Final = 2.0
"""How soon catalogues are read again for a change whose definition is not among those read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes are shown, and when it ends; empty sets: all."""

    segments: frozenset[str]
    subjects: frozenset[str]
    count: int | None
    seconds: float | None
    from_start: bool
    restricted: bool


async def follow(servers: Servers, wanted: Wanted, as_json: bool) -> None:
    """Show changes as they are committed until there were enough."""
    deployment = servers.deployment
    topic = restricted_topics(deployment)[0] if wanted.restricted else deployment.membership_topic
    await servers.expect_topics(topic)
    rules = _RuleTexts(servers)
    left = wanted.count
    until = None if wanted.seconds is None else monotonic() + wanted.seconds
    async with servers.reading(topic) as (consumer, partitions):
        await (consumer.seek_to_beginning if wanted.from_start else consumer.seek_to_end)(*partitions)
        # seek_to_end is lazy: without this, what is published before the first poll would be missed
        await asyncio.gather(*map(consumer.position, partitions))
        while until is None or monotonic() < until:
            wait_ms = POLL_MS if until is None else max(1, min(POLL_MS, int((until - monotonic()) * 1000)))
            fetched = await consumer.getmany(timeout_ms=wait_ms)
            records = [record for found in fetched.values() for record in found]
            for record in sorted(records, key=lambda each: each.timestamp):
                change = orjson.loads(record.value)
                if not _is_wanted(change, wanted):
                    continue
                if as_json:
                    write_line(record.value)
                else:
                    out.print(await line_of(change, rules), soft_wrap=True)
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


def _is_wanted(change: Any, wanted: Wanted) -> bool:
    return (not wanted.segments or change["segment"] in wanted.segments) and (
        not wanted.subjects or change["profile"] in wanted.subjects
    )


async def line_of(change: Any, rules: "_RuleTexts") -> Text:
    """Write a change as one readable line: when, which way, who, what, why."""
    entered = change["change"] == "entered"
    reason = change["reason"]
    line = Text(change["effective_at"][:-1].replace("T", " ") + "  ", "dim")
    line.append("→ in   " if entered else "← out  ", "bold green" if entered else "bold red")
    line.append(change["profile"], "bold")
    line.append("  ")
    line.append(change["segment"], "cyan")
    line.append(f" v{change['segment_version']}", "dim")
    if change["backfill"]:
        line.append(" (backfill)", "dim")
    line.append(f"  {reason['kind'].replace('_', ' ')}", "yellow")
    said = await rules.say(change["segment"], change["segment_version"], reason["conditions"])
    if said:
        line.append(": " + "; ".join(said))
    for event in reason["events"]:
        line.append(f"  [{event}]", "dim")
    return line


class _RuleTexts:
    """Conditions in plain words by segment, version and path: from the catalogues that were applied, newest first."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._texts: dict[tuple[str, Any], dict[str, str]] = {}
        self._read_at = -CATALOGUES_AGAIN_S
        self._known: set[bytes] = set()

    async def say(self, segment: str, version: Any, paths: Sequence[str]) -> list[str]:
        """Say the conditions at these paths; a path itself where its text is not known."""
        if not paths:
            return []
        if (segment, version) not in self._texts and monotonic() - self._read_at >= CATALOGUES_AGAIN_S:
            await self._read()
        known = self._texts.get((segment, version), {})
        return [known.get(path, path) for path in paths]

    async def _read(self) -> None:
        self._read_at = monotonic()
        topic = self._servers.deployment.catalogues_topic
        stored = await self._servers.log.read_to_end(topic, 0)
        for record in reversed(stored):
            if record.key is None or record.value is None or record.key in self._known:
                continue
            self._known.add(record.key)
            try:
                self._add(compiled(record.value))
            except (Failure, ValueError):
                continue  # of another version of Segue: paths must do

    def _add(self, catalogue: Catalogue) -> None:
        for segment in catalogue.segments.values():
            if (segment.id, segment.version) in self._texts:
                continue
            rules = {"enter": segment.enter, "exit": segment.exit}
            self._texts[segment.id, segment.version] = {
                path: leaf.describe()
                for rule, node in rules.items()
                if node is not None
                for path, leaf, _ in leaves(node, rule)
            }

"""The reader of changes: every change is measured, a few are shown, and two profiles are explained."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from rules.ground.instants import parse_instant
from streams.clock import SystemClock
from streams.demo.figures import Figures, ToldChange
from streams.demo.linking import Linker
from streams.demo.selection import Selection, interesting
from streams.demo.show import Show
from streams.demo.sources import DataSource
from streams.demo.stage import Acquainted
from streams.demo.suppress import Suppressor
from streams.demo.telling import Teller
from streams.demo.words import Words
from streams.operations.errors import OperationError
from streams.operations.explain import explain_profile
from streams.operations.naming import channels_of
from streams.wire.names import channel_topics

FETCH_WAIT_MS: Final = 50
EXPLAIN_FROM: Final = 0.2
EXPLAIN_AGAIN: Final = 0.75
"""Shares of the play after which a profile is explained."""
LOOK_S: Final = 0.25
"""How often a profile worth explaining is looked for."""
WRITTEN_S: Final = 1.5
"""Workers write their state about once a second; explanations are read from there."""


class Listener:
    """Hears every change that is published."""

    def __init__(
        self,
        servers: Acquainted,
        source: DataSource,
        figures: Figures,
        show: Show,
        suppressor: Suppressor | None,
        linker: Linker | None,
        teller: Teller | None,
    ) -> None:
        self._servers = servers
        self._overlay = source.overlay
        self._figures = figures
        self._show = show
        self._suppressor = suppressor
        self._linker = linker
        self._teller = teller
        self._words = Words(source.catalogue)
        self._selection = Selection()
        self._candidate: dict[str, Any] | None = None
        """A change worth explaining."""
        self._suppression: dict[str, Any] | None = None
        """A suppression worth explaining."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Coroutine[Any, Any, None]]:
        """Have the work that reads memberships and every channel, from offset 0."""
        deployment = self._servers.deployment
        channels = [channel_topics(deployment, name)[0] for name in channels_of(self._servers.known)]
        topic = deployment.membership_topic
        async with self._servers.reading(topic, fetch_max_wait_ms=FETCH_WAIT_MS) as (consumer, _):
            assigned = [TopicPartition(name, n) for name in (topic, *channels) for n in range(deployment.partitions)]
            consumer.assign(assigned)
            await consumer.seek_to_beginning(*assigned)

            async def read() -> None:
                while True:
                    fetched = await consumer.getmany(timeout_ms=1_000)
                    now_s, wall_ms = monotonic(), SystemClock().wall_ms()
                    for partition, records in fetched.items():
                        for record in records:
                            change = orjson.loads(record.value)
                            if partition.topic == topic:
                                self._moved(partition.partition, change, now_s, wall_ms)
                            else:
                                self._contacted(change, now_s)

            yield read()

    def _moved(self, partition: int, change: dict[str, Any], now_s: float, wall_ms: int) -> None:
        """Take in a change of a membership."""
        arrivals = self._figures.arrivals
        arrivals.arrived(partition, change, parse_instant(change["effective_at"]), now_s, wall_ms)
        self._selection.add(self._words.line(change), now_s)
        if interesting(change, self._overlay):
            self._candidate = change
        if self._suppressor is not None and self._suppressor.suppresses(change):
            arrivals.suppresses(change, now_s)
        if self._linker is not None:
            self._linker.moved(change)
        if self._teller is not None:
            self._teller.moved(change)

    def _contacted(self, change: dict[str, Any], now_s: float) -> None:
        """Take in a change of an activation."""
        took = self._figures.arrivals.contacted(change, now_s)
        line = self._words.line(change)
        self._selection.add(line if took is None else replace(line, took_ms=took.ms), now_s)
        if line.suppressed:
            self._suppression = change
        if self._suppressor is not None:
            self._suppressor.heard(change)
        if self._linker is not None:
            self._linker.contacted(change)

    async def choose(self) -> None:
        """Show a few of the changes, until cancelled."""
        while True:
            line = self._selection.take(monotonic())
            if line is not None:
                self._figures.feed.append(line)
                self._show.change(line)
            await asyncio.sleep(1 / self._show.feed_per_s)

    async def explain(self) -> None:
        """Explain a profile to which something happened, twice in the play: a membership, and then a suppression."""
        for share in (EXPLAIN_FROM, EXPLAIN_AGAIN):
            change = await self._worth_explaining(share)
            await asyncio.sleep(WRITTEN_S)
            with suppress(OperationError):  # its state is not written yet: another one will do
                name = change.get("segment") or change["activation"]
                told = await explain_profile(self._servers, change["profile"], name, restricted=True)
                found = told.segments[0] if "segment" in change else told.activations[0]
                self._figures.told = ToldChange(self._words.line(change), found)
                self._show.explain(self._figures.told)

    async def _worth_explaining(self, share: float) -> dict[str, Any]:
        while True:
            found = self._suppression if share == EXPLAIN_AGAIN and self._suppression is not None else self._candidate
            if self._figures.share_played() >= share and found is not None:
                return found
            await asyncio.sleep(LOOK_S)

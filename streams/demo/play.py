"""The order of things: make ready, play, kill a worker half-way, let it drain, check everything, sum up.

1. Topics, catalogue, two workers, until they share the partitions.
2. Events go in, changes come out (to a `read_committed` reader); both are shown. Half-way one worker is killed.
3. The sender stops. The overlay's members leave by time alone; then the input's end is noted: what it asks for is due.
4. When everything before that end is applied, what was published is read again from offset 0 and judged (`check`). A
   change that is due has `LATE_S` to appear before it counts as missing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from rules.ground.instants import parse_instant
from streams import embedded
from streams.clock import SystemClock
from streams.demo import check, naive, stage
from streams.demo.arrivals import quantile
from streams.demo.figures import Figures, Told, Trouble
from streams.demo.load import RATE_MAX, RATE_START, Load, Pace
from streams.demo.selection import Selection, interesting
from streams.demo.show import Show, partitions
from streams.demo.sources import ALONE_S, Source
from streams.demo.suppress import Suppressor
from streams.demo.words import Words
from streams.operations.dump import write_catalogue
from streams.operations.errors import OperationError, WrongInput
from streams.operations.explain import explain_profile
from streams.operations.naming import channels_of
from streams.wire.names import channel_topics

DRAW_S: Final = 0.25
FETCH_WAIT_MS: Final = 50
EXPLAIN_FROM: Final = 0.2
EXPLAIN_AGAIN: Final = 0.75
"""Shares of the play after which a profile is explained."""
WRITTEN_S: Final = 1.5
"""Workers write their state about once a second; explanations are read from there."""
KILL_AT: Final = 0.5
CALM_S: Final = 0.5
"""After a kill the trouble is over when less is behind than is sent in so long."""
DRAIN_S: Final = 120.0
LATE_S: Final = 20.0
NAIVE_SHARE: Final = 0.75
NAIVE_MIN_S: Final = 8.0
NAIVE_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    seconds: float | None
    """None: to the end of the events."""
    rate: float | None
    """Events a second at most; None: what the machine takes."""
    steady: bool
    """False: as fast as it goes."""
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that came of it."""

    figures: Figures
    verdict: check.Verdict
    records: int
    """Of the input, applied again."""
    published: int
    """Changes in the membership topic."""
    contacts: int
    """Changes in the topics of the channels."""
    sampled: naive.Sampled | None
    """None: the naive evaluator is not here."""

    @property
    def missing(self) -> int:
        """Changes expected, by either check, and not published."""
        return len(self.verdict.missing.union(*(each.missing for each in self._verdicts)))

    @property
    def unexpected(self) -> int:
        """Changes published and not expected, by either check."""
        return len(self.verdict.unexpected.union(*(each.unexpected for each in self._verdicts)))

    @property
    def right(self) -> bool:
        """Whether all is as it must be."""
        return self.verdict.right and all(each.right for each in self._verdicts)

    @property
    def _verdicts(self) -> Sequence[check.Verdict]:
        return () if self.sampled is None else self.sampled.verdicts


class Play:
    """One demo on running servers."""

    def __init__(self, options: Options, source: Source, servers: embedded.Servers, show: Show) -> None:
        self._options = options
        self._source = source
        self._folder = servers.folder
        self._show = show
        deployment, settings = stage.settings_for(servers)
        self.environment = stage.environment(deployment, settings)
        self._servers = stage.open_servers(deployment, settings, source.catalogue)
        self._workers = stage.Workers(servers.folder, self.environment)
        self._words = Words(source.catalogue)
        self._selection = Selection()
        self._candidate: dict[str, Any] | None = None
        """A change worth explaining."""
        self._suppression: dict[str, Any] | None = None
        """A suppression worth explaining."""
        suppression = source.suppression
        self._suppressor = None if suppression is None else Suppressor(suppression, source.catalogue)
        self.figures = Figures(stage.lanes(), seconds=options.seconds, total=source.total)

    async def run(self) -> Outcome:
        """Do all of it. Raises OperationError; whatever ends it, `close` is for the caller."""
        await self._get_ready()
        try:
            drained = await self._play()
        finally:
            self._show.end()
        return await self._check(drained)

    async def close(self) -> None:
        """End the workers and the connections."""
        self._show.end()
        self._workers.close()
        await self._servers.log.close()

    # -- 1

    async def _get_ready(self) -> None:
        show, figures, source = self._show, self.figures, self._source
        show.doing("creating topics, putting the catalogue into force")
        await stage.provision(self._servers)
        write_catalogue(self._folder / "catalogue", source.catalogue)
        count, channels = len(source.catalogue.approved), channels_of(source.catalogue)
        show.step(
            f"{stage.PARTITIONS} partitions; a catalogue of {count} segments is in force, one of them for the demo:"
        )
        show.step(f'    "{self._words.title(source.overlay)}": so that time alone is seen at work')
        if channels:
            active = sum(each.status == "approved" for each in source.catalogue.activations.values())
            show.step(f"    with {active} activations over {len(channels)} channels: {', '.join(channels)}")
        self._workers.start(figures)
        show.step(f"starting {stage.WORKERS} workers, each `segue worker` in a process of its own")
        show.doing("waiting until they share the partitions")
        await self._workers.until_ready(figures)
        for crew in figures.crew:
            owned = partitions(lane.partition for lane in figures.lanes if lane.owner == crew.number)
            show.step(f"worker {crew.number} (process {crew.pid}) has {owned}")
        for said in source.said:
            show.step(said)

    # -- 2 and 3

    async def _play(self) -> list[int]:
        figures, options = self.figures, self._options
        pace = Pace(min(RATE_START, options.rate or RATE_START), options.rate or RATE_MAX) if options.steady else None
        load = Load(self._servers.settings.kafka_bootstrap_servers, self._servers.deployment, self._source.events, pace)
        figures.phase = "Playing"
        async with (
            self._reader() as read,
            _beside(
                read,
                self._workers.look_on(figures),
                self._choose(),
                self._explain(),
                self._conduct(load),
                *([] if self._suppressor is None else [self._suppressor.run(load, figures)]),
            ) as beside,
        ):
            self._show.begin(figures)
            await beside(load.run(figures))
            figures.played_s, figures.rate = figures.playing_for_s(), 0.0
            drained: list[int] = await beside(self._drain())
            return drained

    async def _conduct(self, load: Load) -> None:
        """Draw, keep the pace, kill half-way, and stop the load when its time is over."""
        figures = self.figures
        judged_s = monotonic()
        while True:
            figures.tick()
            self._show.update(figures)
            playing = figures.playing_s is not None and not figures.played_s
            if playing and figures.trouble is None and figures.share_played() >= KILL_AT:
                self._kill()
            self._follow_trouble()
            calm = figures.ready and (figures.trouble is None or figures.trouble.over_s is not None)
            if load.pace is not None and calm and monotonic() - judged_s >= 1.0:
                load.pace.judge(figures.lag, quantile(figures.arrivals.recent_ms(), 0.5) or 0.0)
                judged_s = monotonic()
            if figures.seconds is not None and figures.playing_for_s() >= figures.seconds:
                load.stop.set()
            await asyncio.sleep(DRAW_S)

    def _kill(self) -> None:
        figures = self.figures
        owned = {crew.number: [lane for lane in figures.lanes if lane.owner == crew.number] for crew in figures.crew}
        victim = max(figures.crew, key=lambda crew: (len(owned[crew.number]), -crew.number))
        numbers = tuple(lane.partition for lane in owned[victim.number])
        figures.arrivals.watch(numbers)
        figures.trouble = Trouble(victim.number, victim.pid, numbers, monotonic())
        self._workers.kill(victim.number, figures)
        silent_s = self._servers.settings.session_timeout_ms / 1000
        self._notice(
            f"kill -9 {victim.pid}: worker {victim.number} is dead; nobody has {partitions(numbers)} until the group"
            f" notices ({silent_s:.0f} s)"
        )

    def _follow_trouble(self) -> None:
        figures, trouble = self.figures, self.figures.trouble
        if trouble is None or trouble.over_s is not None:
            return
        now_s = monotonic()
        if trouble.taken_s is None and figures.ready:
            trouble.taken_s = now_s
            heirs = sorted({lane.owner or 0 for lane in figures.lanes if lane.partition in trouble.partitions})
            self._notice(
                f"worker {heirs[0]} has taken over {partitions(trouble.partitions)},"
                f" {now_s - trouble.killed_s:.1f} s after the kill"
            )
        if trouble.taken_s is not None and figures.lag <= max(100.0, figures.rates()[0] * CALM_S):
            trouble.over_s = now_s
            figures.arrivals.watch(())
            self._notice(f"everything has caught up, {now_s - trouble.killed_s:.1f} s after the kill")

    async def _drain(self) -> list[int]:
        figures, servers = self.figures, self._servers
        figures.phase = "No more events: the last leave by time alone"
        await asyncio.sleep(ALONE_S + 1)
        until = monotonic() + DRAIN_S
        while not figures.ready:
            await _wait(until, "the partitions of the killed worker were not taken over")
        due = await check.ends(servers)
        figures.phase = "Draining"
        while any(lane.applied < end for lane, end in zip(figures.lanes, due, strict=True)):
            await _wait(until, "the workers did not catch up")
        self._follow_trouble()
        return due

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Coroutine[Any, Any, None]]:
        """Have the reader of changes, of memberships and of every channel, standing at offset 0."""
        deployment = self._servers.deployment
        channels = [channel_topics(deployment, name)[0] for name in channels_of(self._source.catalogue)]
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
                                self._arrived(partition.partition, change, now_s, wall_ms)
                            else:
                                self._contacted(change, now_s)

            yield read()

    def _arrived(self, partition: int, change: dict[str, Any], now_s: float, wall_ms: int) -> None:
        effective_ms = parse_instant(change["effective_at"])
        self.figures.arrivals.arrived(partition, change, effective_ms, now_s, wall_ms)
        self._selection.add(self._words.line(change), now_s)
        if interesting(change, self._source.overlay):
            self._candidate = change
        if self._suppressor is not None and self._suppressor.suppresses(change):
            self.figures.arrivals.suppresses(change, now_s)

    def _contacted(self, change: dict[str, Any], now_s: float) -> None:
        took = self.figures.arrivals.contacted(change, now_s)
        line = self._words.line(change)
        self._selection.add(line if took is None else replace(line, took_ms=took.ms), now_s)
        if line.suppressed:
            self._suppression = change
        if self._suppressor is not None:
            self._suppressor.heard(change)

    async def _choose(self) -> None:
        """Show a few of the changes."""
        while True:
            line = self._selection.take(monotonic())
            if line is not None:
                self.figures.feed.append(line)
                self._show.change(line)
            await asyncio.sleep(1 / self._show.feed_per_s)

    async def _explain(self) -> None:
        """Explain a profile to which something happened, twice in the play: a membership, and then a suppression."""
        for share in (EXPLAIN_FROM, EXPLAIN_AGAIN):
            change = await self._worth_explaining(share)
            await asyncio.sleep(WRITTEN_S)
            with suppress(OperationError):  # its state is not written yet: another one will do
                name = change.get("segment") or change["activation"]
                told = await explain_profile(self._servers, change["profile"], name, None)
                found = told.segments[0] if "segment" in change else told.activations[0]
                self.figures.told = Told(self._words.line(change), found)
                self._show.explain(self.figures.told)

    async def _worth_explaining(self, share: float) -> dict[str, Any]:
        while True:
            found = self._suppression if share == EXPLAIN_AGAIN and self._suppression is not None else self._candidate
            if self.figures.share_played() >= share and found is not None:
                return found
            await asyncio.sleep(DRAW_S)

    def _notice(self, text: str) -> None:
        self.figures.notices.append(text)
        self._show.notice(text)

    # -- 4

    async def _check(self, drained: Sequence[int]) -> Outcome:
        show, servers = self._show, self._servers
        show.step(f"{self.figures.sent:,} events were played; now every change is checked")
        ledgers = [check.Ledger(partition) for partition in range(stage.PARTITIONS)]
        show.doing("the engine applies the input again")
        await check.apply_again(
            servers, ledgers, drained, lambda done: show.doing(f"the engine applies the input again: {done:,} records")
        )
        records = sum(ledger.records for ledger in ledgers)
        until = monotonic() + LATE_S
        while True:
            await check.read_published(servers, ledgers)
            verdict = check.judge(ledgers)
            if not verdict.missing or monotonic() > until:
                break
            await asyncio.sleep(0.5)
        published = sum(len(ledger.published) for ledger in ledgers)
        contacts = sum(len(each.published) for ledger in ledgers for each in ledger.channels.values())
        also = f" and {contacts:,} of activations" if contacts else ""
        show.step(
            f"the engine applied all {records:,} records of the input again: {published:,} changes of memberships{also}"
            f" were published, {_said(verdict)}"
        )
        sampled = await self._ask_naive(ledgers)
        return Outcome(self.figures, verdict, records, published, contacts, sampled)

    async def _ask_naive(self, ledgers: Sequence[check.Ledger]) -> naive.Sampled | None:
        show, command = self._show, stage.naive_command()
        if command is None:
            show.step("the naive evaluator is not here (it is in the tests of a checkout): checked by the engine only")
            return None
        budget_s = min(NAIVE_MAX_S, max(NAIVE_MIN_S, self.figures.played_s * NAIVE_SHARE))
        show.step(f"the naive evaluator, which shares no code with the engine, has {budget_s:.0f} s for a sample")
        show.doing("naive evaluator")
        sampled = await naive.sample(
            command,
            stage.ROOT,
            self._folder / "catalogue",
            ledgers,
            budget_s,
            self._options.seed,
            lambda done, known: show.doing(f"naive evaluator: {done:,} of {known:,} profiles"),
        )
        wrong = [each for each in sampled.verdicts if not each.right]
        show.step(
            f"it lived through {sampled.profiles:,} of {sampled.known:,} profiles, {sampled.changes:,} changes:"
            f" {'all as published' if not wrong else 'NOT as published'}"
        )
        return sampled


def _said(verdict: check.Verdict) -> str:
    if verdict.right:
        return "each one once, byte for byte, in order"
    return (
        f"{len(verdict.missing):,} missing, {verdict.duplicates:,} twice, {len(verdict.unexpected):,} unexpected,"
        f" {verdict.out_of_order} partitions out of order"
    )


async def _wait(until: float, what: str) -> None:
    if monotonic() > until:
        raise WrongInput(f"{what} within {DRAIN_S:.0f} s")
    await asyncio.sleep(0.1)


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[Any]:
    """Run works beside what is awaited through the function given: the first of them that fails ends that too."""
    tasks = [asyncio.ensure_future(work) for work in works]

    async def until_done(work: Awaitable[Any]) -> Any:
        main = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            while main not in done:
                for task in done:
                    await task  # raises what it failed with; one that is through (explaining) is not waited for again
                    tasks.remove(task)
                done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            return await main
        finally:
            main.cancel()

    try:
        yield until_done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

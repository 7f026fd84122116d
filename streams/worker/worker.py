"""A worker: the composition root of the stream processor. It owns the partitions that the consumer group gives it.

    Faust application ── assigned, revoked, batches ──▶ Worker ── one task a partition ──▶ PartitionRunner
                                                          │
                                    session: a ring of producers and its Publisher, one for all partitions

Any doubt ends the session: the worker opens a new ring and claims every partition anew that the group still gives it. A
revocation or SIGTERM lets go of partitions in order within a deadline (finish, checkpoint, tombstone). After the
deadline they are abandoned, and their next owner fences this worker. While Redis or Kafka is away, everything waits
with back-off, /ready says 503, and then everything goes on where it was.

Exit status: 0 it was stopped as asked; 1 the input or the servers' settings are wrong, or it met a bug and published
nothing of the record at hand; 3 a server is not reachable.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from streams.actions import told
from streams.clock import Clock, SystemClock
from streams.dependencies import DependencyWatch
from streams.exits import Exit
from streams.finding import Finding
from streams.intake.app import REBALANCE_MARGIN_MS, App, HostedInput
from streams.intake.bad_input import BadInputLimits
from streams.intake.hosting import ConsumerOptions
from streams.intake.input import Input
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.producer import Tuning
from streams.log.pulse import KafkaPulse
from streams.log.terms import Log, Ring
from streams.partition.outgoing import TransactionPace
from streams.partition.points import UNOBSERVED, OnPoint
from streams.partition.publisher import Publisher
from streams.partition.shared import PartitionLimits, PartitionShared
from streams.settings import WORKER_WEB_PORT, Deployment, Settings
from streams.store.access import RedisConnection
from streams.store.erasure_check import check_erasure_keys
from streams.store.erasure_keys import ErasureKeys
from streams.store.pulse import RedisPulse
from streams.store.redis import RedisStore
from streams.store.server import check_server
from streams.store.shared_reads import SharedReads
from streams.store.terms import PartitionStore
from streams.web import AddressRefused, serving
from streams.wire.maker import RecordMaker
from streams.worker.catalogues import Catalogues
from streams.worker.deadline import unfinished
from streams.worker.garbage import LOOK_EVERY_MS, Garbage
from streams.worker.histories import Histories
from streams.worker.holding import Holding
from streams.worker.preflight import Check, preflight
from streams.worker.rolling import Rolling
from streams.worker.sessions import Sessions
from streams.worker.silence import SilenceDetector
from streams.worker.status import WorkerStatus
from streams.worker.telling import Telling

log = logging.getLogger(__name__)

COMMIT_EVERY_MS: Final = 1_000
"""How far group offsets may trail checkpoints. Only lag tools read them."""
NOTE_EVERY_MS: Final = 1_000
"""How exact /ready says since when a reason stands."""
HEARTBEATS_OF_SESSION: Final = 2 / 5
"""Several heartbeats, as a share of the session's time-out: by then the group has said whose an overtaken partition
is."""
FAREWELL_MS: Final = 5_000
"""How long abandoned partitions have to end at a revocation; the group waits longer (`app.REBALANCE_MARGIN_MS`)."""
CLOSING_MS: Final = 1_500
"""How long a stop takes to leave the group and close clients, after `stop_deadline_ms` for letting go of partitions:
with the default of 8 s the worker ends within 10 s, whatever server is away."""


class Worker:
    """Runs until `stop`, or until something ends it. Make one for an event loop, and call `run` once."""

    def __init__(
        self,
        deployment: Deployment,
        settings: Settings,
        *,
        connection: KafkaConnection | None = None,
        clock: Clock | None = None,
        on_point: OnPoint = UNOBSERVED,
        log_: Log | None = None,
        input_: Input | None = None,
        store: Callable[[int], PartitionStore] | None = None,
        checks: Iterable[Check] = (),
    ) -> None:
        """`connection` leads to Kafka; without it, the settings say how.

        `checks` are asked before the start; a fatal finding refuses it.

        `log_`, `input_` and `store` take the place of Kafka, Faust's consumer and Redis. A simulation gives its models
        there, and calls `on_assigned` and `on_revoked` instead of `run`.
        """
        self._deployment = deployment
        self._settings = settings
        self._redis = RedisConnection.of(settings)
        self._reads = SharedReads(self._redis)
        self._erasure_keys = ErasureKeys.of(settings)
        self._clock: Clock = clock or SystemClock()
        self._connection: Final = connection or KafkaConnection.of(settings)
        self._log: Log = log_ or KafkaLog(
            self._connection,
            Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms),
        )
        # the given checks come first: `_check_kafka` could only say that a missing topic did not answer
        self._checks = [self._check_redis, *checks, self._check_kafka, self._check_erasure_keys]
        self.status = WorkerStatus(deployment.generation, self._clock.wall_ms(), lag_ms_max=settings.ready_lag_ms_max)
        self.status.kafka_refuses = self._connection.access.told
        self._catalogues = Catalogues(self._log, deployment.catalogues_topic, self._clock)
        self._telling = Telling(
            deployment, settings, self._connection, self._log, self.status, self._catalogues, self._clock
        )
        self._histories = Histories(self._log, deployment, self._clock, self.status)
        self._rolling = Rolling(self._log, deployment, lambda: self.holding.runners, self._clock)
        self._sessions = Sessions(
            self._log, settings.ring_size, self._publisher, self._guarded, self._clock, self.status
        )
        self._ended = asyncio.Event()
        self._exit = Exit.DONE
        self._app = App(
            ConsumerOptions(
                topic=deployment.events_topic,
                connection=self._connection,
                group=settings.group,
                session_timeout_ms=settings.session_timeout_ms,
                rebalance_timeout_ms=settings.stop_deadline_ms + REBALANCE_MARGIN_MS,
                group_instance_id=settings.group_instance_id,
                leave_group=settings.leave_group,
            ),
            self,
        )
        self._shared = PartitionShared(
            log=self._log,
            input=input_ or HostedInput(self._app),
            wire=RecordMaker(deployment),
            deployment=deployment,
            clock=self._clock,
            bad_input=BadInputLimits(
                settings.bad_input_share_max, settings.bad_input_window, settings.bad_input_calm_ms
            ),
            catalogue=self._catalogues.get,
            limits=self._limits(settings),
            held=lambda: self.holding.count,
            on_point=on_point,
            tally=self._telling.tally,
            traced=self._telling.spans is not None,
        )
        self.holding = Holding(
            self._shared,
            store or self._redis_store,
            self._sessions,
            self.status,
            max(500, settings.session_timeout_ms * HEARTBEATS_OF_SESSION),
            self._fail,
        )

    @staticmethod
    def _limits(settings: Settings) -> PartitionLimits:
        return PartitionLimits(
            settings.checkpoint_every_ms,
            settings.unpublished_records_max,
            settings.changes_per_transaction_max,
            settings.profiles_cached_max,
        )

    def _redis_store(self, partition: int) -> PartitionStore:
        return RedisStore(
            self._redis,
            self._deployment.redis_prefix,
            partition,
            self._deployment.partitions,
            erasure_keys=self._erasure_keys,
            shared=self._reads,
        )

    # -- life

    async def run(self) -> Exit:
        """Run to the end and return the exit status. Installs no signal handlers: call `stop`.

        The pages answer from before the checks until the end, so that a probe learns what a start waits for.
        """
        pages, port = self.status.pages(self._clock.wall_ms), self._settings.web_port
        try:
            async with serving(pages, self._settings.web_host, WORKER_WEB_PORT if port is None else port) as where:
                log.info("the worker listens on %s", where, extra=told("worker_listens", address=where))
                async with self._telling.page(self._shared.input, lambda: self.holding.runners):
                    if self._telling.wrong:
                        self._fail(self._telling.wrong, Exit.WRONG_INPUT)
                        await self._log.close()
                        return self._exit
                    return await self._run()
        except AddressRefused as refused:
            self._fail(str(refused), Exit.WRONG_INPUT)
            await self._log.close()
            return self._exit

    async def _run(self) -> Exit:
        self.status.starting = "the servers and their settings are checked"
        ready = await preflight(self._checks, self._clock, self._ended, self._tell_start)
        if ready != Exit.DONE:
            await self._log.close()
            return ready
        self.status.starting = ""
        tasks = []
        try:
            await self._app.start()
            tasks = [
                asyncio.ensure_future(self._guarded(work()))
                for work in (
                    self._commit_offsets,
                    self._detect_silence,
                    self._watch_servers,
                    self._note_reasons,
                    self._collect_garbage,
                    self._histories.run,
                    self._rolling.run,
                    self._telling.look,
                    self._until_app_ends,
                )
            ]
            await self._ended.wait()
        except Exception:
            # the consumer cannot start: it lost its broker between the checks and here
            log.exception("the worker did not start", extra=told("start_failed"))
            self._fail("it did not start", Exit.NOT_REACHABLE)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._shut_down()
        return self._exit

    def _tell_start(self, attempt: int, fault: Exception) -> None:
        self.status.starting = f"a server is not reachable: {fault}"

    def stop(self) -> None:
        """Ask for a clean stop, within `stop_deadline_ms`."""
        if not self.status.stopping:
            log.info("the worker stops", extra=told("worker_stops"))
            self.status.stopping = True
            self._ended.set()

    def _fail(self, why: str, status: Exit) -> None:
        """End the worker as a whole; the first reason counts."""
        if not self.status.failure:
            self.status.failure, self._exit = why, status
            log.error("the worker ends: %s", why, extra=told("worker_ends"))
        self.status.stopping = True
        self._ended.set()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a bug", extra=told("bug"))
            self._fail("a bug, see the log", Exit.WRONG_INPUT)

    async def _shut_down(self) -> None:
        self.status.stopping = True
        end_ms = self._clock.now_ms() + self._settings.stop_deadline_ms + CLOSING_MS
        await self.holding.let_go_of_all(self._settings.stop_deadline_ms, CLOSING_MS / 3)
        await self._reads.close()
        closing = {
            asyncio.ensure_future(each) for each in (self._sessions.close(), self._app.stop(), self._log.close())
        }
        late = await unfinished(closing, self._clock, max(CLOSING_MS / 2, end_ms - self._clock.now_ms()))
        for task in late:
            task.cancel()
        failed = [task.exception() for task in closing - late if not task.cancelled()]
        for error in (each for each in failed if each is not None):
            why = type(error).__name__
            log.warning("a client did not close: %s", why, extra=told("client_not_closed", why=why))
        if late:
            log.warning("%d clients did not close in time", len(late), extra=told("client_not_closed", count=len(late)))
            await unfinished(late, self._clock, CLOSING_MS / 3)
        await self._telling.flush()

    # -- before the start

    async def _check_redis(self) -> list[Finding]:
        return await check_server(self._redis, self._deployment.redis_prefix)

    async def _check_kafka(self) -> list[Finding]:
        await self._log.offsets(self._deployment.events_topic, 0)
        return []

    async def _check_erasure_keys(self) -> list[Finding]:
        return await check_erasure_keys(self._redis_store, self._deployment.partitions, self._erasure_keys)

    # -- what the group tells (streams.intake.hosting.GroupListener)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """See GroupListener. Everything was revoked before: the group's protocol is the eager one."""
        self.status.rebalances += 1
        self.status.assigned = True
        if not self.status.stopping:
            given = sorted(partitions)
            log.info("given %d partitions: %s", len(given), given, extra=told("partitions_assigned", partitions=given))
            self.holding.take(partitions)

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """See GroupListener."""
        self.status.assigned = False
        await self.holding.let_go(partitions, self._settings.stop_deadline_ms, FAREWELL_MS)

    def on_replaced(self) -> None:
        """See GroupListener. The other process claims the partitions, so this one can publish no more."""
        name = self._settings.group_instance_id
        why = f"another worker has joined the group as {name!r}: give each worker its own SEGUE_GROUP_INSTANCE_ID"
        self._fail(why, Exit.WRONG_INPUT)

    # -- sessions

    def _publisher(self, ring: Ring) -> Publisher:
        settings = self._settings
        return Publisher(
            ring,
            self._deployment.generation,
            self._deployment.progress_topic,
            self._on_doubt,
            TransactionPace(
                changes_max=settings.changes_per_transaction_max,
                quiet_records_max=min(10_000, max(1, settings.unpublished_records_max // 4)),
            ),
            self._clock,
            self._telling.tally,
            self._telling.spans,
        )

    def _on_doubt(self, error: BaseException) -> None:
        log.warning("the ring of producers is over: %s", error, extra=told("ring_over", why=type(error).__name__))
        self.holding.doubt(error)

    # -- tasks beside the partitions

    async def _commit_offsets(self) -> None:
        committed: dict[int, int] = {}
        while True:
            await self._clock.sleep(COMMIT_EVERY_MS)
            written = {partition: runner.written_offset for partition, runner in self.holding.runners.items()}
            news = {
                partition: offset
                for partition, offset in written.items()
                if offset is not None and committed.get(partition) != offset
            }
            if news:
                await self._app.event_consumer.commit_offsets(news)
                committed = {**{p: at for p, at in committed.items() if p in written}, **news}

    async def _detect_silence(self) -> None:
        detector = SilenceDetector(
            self._log,
            self._deployment.events_topic,
            self._shared.input,
            self._clock,
            self.status,
            lambda why: self._fail(why, Exit.NOT_REACHABLE),
        )
        await detector.run(lambda: self.holding.runners)

    async def _watch_servers(self) -> None:
        kafka, redis = KafkaPulse(self._connection), RedisPulse(self._redis)
        asks = {"kafka": kafka.ask, "redis": redis.ask}
        try:
            await DependencyWatch(self.status.dependencies, asks, self._clock).run()
        finally:
            await kafka.close()
            await redis.close()

    async def _note_reasons(self) -> None:
        while True:
            self.status.reasons(self._clock.wall_ms())
            await self._clock.sleep(NOTE_EVERY_MS)

    async def _collect_garbage(self) -> None:
        with Garbage(self._clock) as garbage:
            while True:
                garbage.look(self.status.rebalances)
                await self._clock.sleep(LOOK_EVERY_MS)

    async def _until_app_ends(self) -> None:
        await self._app.wait_until_stopped()
        if not self.status.stopping:
            self._fail("the consumer ended", Exit.NOT_REACHABLE)

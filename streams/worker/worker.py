"""A worker: the composition root of the stream processor. It owns the partitions that the consumer group gives it.

    Faust application ── assigned, revoked, batches ──▶ Worker ── one task a partition ──▶ PartitionRunner
                                                          │
                                    session: a ring of producers and its Publisher, one for all partitions

Any doubt ends the session: a new ring, and every partition that the group still gives is claimed anew. A revocation, or
SIGTERM, lets go of partitions in order within a deadline (finish, checkpoint, tombstone), else abandons them: whoever
comes next fences us. Redis or Kafka away: everything waits with back-off, /ready says 503, and it goes on where it was.

Exit status (design section 7): 0 stopped as asked; 1 the input or the servers' settings are wrong, or a bug: it has
published nothing of what it was computing; 3 a server is not reachable.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import uvloop

from streams import logs
from streams.clock import Clock, SystemClock
from streams.finding import Finding
from streams.intake.app import REBALANCE_MARGIN_MS, App, HostedInput
from streams.intake.guard import RefusalShare, TooMuchBadInput
from streams.intake.hosting import ConsumerOptions
from streams.intake.input import Input
from streams.log.client import KafkaLog
from streams.log.producer import Tuning
from streams.log.terms import Log, Ring
from streams.partition.outgoing import TransactionPace
from streams.partition.points import UNOBSERVED, OnPoint
from streams.partition.publisher import Publisher
from streams.partition.runner import PartitionRunner, TenureEnd
from streams.partition.shared import PartitionLimits, Shared
from streams.partition.status import PartitionStatus
from streams.settings import Deployment, Settings
from streams.store.redis import RedisStore, check_server
from streams.store.terms import PartitionStore
from streams.wire.maker import RecordMaker
from streams.worker.catalogues import Catalogues
from streams.worker.garbage import LOOK_EVERY_MS, Garbage
from streams.worker.preflight import OK, UNREACHABLE, WRONG, Check, preflight
from streams.worker.sessions import Sessions
from streams.worker.silence import SilenceDetector
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

COMMIT_EVERY_MS: Final = 1_000
"""Group offsets trail checkpoints by at most so much; for lag tools only."""
INCIDENT_RETRY_MS: Final = 30_000
"""A stopped partition is claimed again after so long: its cause may have been repaired."""
FAREWELL_MS: Final = 5_000
"""For what was abandoned at a revocation to end; the group waits longer (`app.REBALANCE_MARGIN_MS`)."""
CLOSING_MS: Final = 1_500
"""For leaving the group and closing clients at a stop, beyond `stop_deadline_ms` for letting go of partitions: with the
default of 8 s it ends within 10 s, whatever is away."""


@dataclass(slots=True)
class _Held:
    """A partition that the group has given us."""

    runner: PartitionRunner
    store: PartitionStore
    leaving: asyncio.Event
    """Set when it is to be let go."""
    tending: "asyncio.Task[None] | None" = None


class Worker:
    """Runs until `stop`, or until something ends it. One an event loop; `run` is called once."""

    def __init__(
        self,
        deployment: Deployment,
        settings: Settings,
        *,
        clock: Clock | None = None,
        on_point: OnPoint = UNOBSERVED,
        source: Log | None = None,
        reads: Input | None = None,
        store: Callable[[int], PartitionStore] | None = None,
        checks: Iterable[Check] = (),
    ) -> None:
        """`checks` are asked before the start; a fatal finding refuses it.

        `source`, `reads` and `store` stand for Kafka, Faust's consumer and Redis: a simulation gives its models, and
        calls `on_assigned` and its like instead of `run`.
        """
        self._deployment = deployment
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self._log: Log = source or KafkaLog(
            settings.kafka_bootstrap_servers,
            Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms),
        )
        self._store = store or self._redis_store
        # given checks first: of a missing topic `_check_kafka` could only say that it did not answer
        self._checks = [self._check_redis, *checks, self._check_kafka]
        self.status = WorkerStatus(deployment.generation, self._clock.wall_ms())
        self._catalogues = Catalogues(self._log, deployment.catalogues_topic, self._clock)
        self._held: dict[int, _Held] = {}
        self._sessions = Sessions(
            self._log, settings.ring_size, self._publisher, self._guarded, self._clock, self.status
        )
        self._ended = asyncio.Event()
        self._exit = OK
        self._app = App(
            ConsumerOptions(
                topic=deployment.events_topic,
                bootstrap_servers=settings.kafka_bootstrap_servers,
                group=settings.group,
                session_timeout_ms=settings.session_timeout_ms,
                rebalance_timeout_ms=settings.stop_deadline_ms + REBALANCE_MARGIN_MS,
            ),
            self,
            web_host=settings.web_host,
            web_port=settings.web_port,
        )
        self._shared = Shared(
            log=self._log,
            input=reads or HostedInput(self._app),
            wire=RecordMaker(deployment),
            deployment=deployment,
            clock=self._clock,
            share=RefusalShare(settings.bad_input_share_max, settings.bad_input_window),
            catalogue=self._catalogues.get,
            limits=self._limits(settings, deployment.partitions),
            on_point=on_point,
        )

    @staticmethod
    def _limits(settings: Settings, partitions: int) -> PartitionLimits:
        return PartitionLimits(
            settings.checkpoint_every_ms,
            settings.unpublished_records_max,
            settings.changes_per_transaction_max,
            settings.profiles_cached_max // partitions,
        )

    def _redis_store(self, partition: int) -> PartitionStore:
        deployment, settings = self._deployment, self._settings
        return RedisStore(settings.redis_url, deployment.redis_prefix, partition, deployment.partitions)

    # -- life

    async def run(self) -> int:
        """Run to the end; returns the exit status. Installs no signal handlers: call `stop`."""
        ready = await preflight(self._checks, self._clock, self._ended)
        if ready != OK:
            await self._log.close()
            return ready
        self._app.serve(self.status.pages(self._clock.wall_ms))
        tasks = []
        try:
            await self._app.start()
            log.info("the worker listens on http://%s:%s", self._settings.web_host, self._app.listens_on)
            tasks = [
                asyncio.ensure_future(self._guarded(work()))
                for work in (self._commit_offsets, self._watch, self._collect_garbage, self._until_app_ends)
            ]
            await self._ended.wait()
        except Exception:
            # a consumer that cannot start has lost its broker between the checks and here
            log.exception("the worker did not start")
            self._fail("it did not start", UNREACHABLE)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._shut_down()
        return self._exit

    def stop(self) -> None:
        """Ask for a clean stop, within `stop_deadline_ms`."""
        if not self.status.stopping:
            log.info("the worker stops")
            self.status.stopping = True
            self._ended.set()

    @property
    def listens_on(self) -> int | None:
        """The web server's port; None before it listens."""
        return self._app.listens_on

    def _fail(self, why: str, status: int) -> None:
        """End the worker as a whole; the first reason counts."""
        if not self.status.failure:
            self.status.failure, self._exit = why, status
            log.error("the worker ends: %s", why)
        self.status.stopping = True
        self._ended.set()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a bug")
            self._fail("a bug, see the log", WRONG)

    async def _shut_down(self) -> None:
        self.status.stopping = True
        end_ms = self._clock.now_ms() + self._settings.stop_deadline_ms + CLOSING_MS
        await self._let_go(frozenset(self._held), CLOSING_MS / 3)
        closing = {
            asyncio.ensure_future(each) for each in (self._sessions.close(), self._app.stop(), self._log.close())
        }
        late = await self._late(closing, max(CLOSING_MS / 2, end_ms - self._clock.now_ms()))
        for task in late:
            task.cancel()
        failed = [task.exception() for task in closing - late if not task.cancelled()]
        for error in (each for each in failed if each is not None):
            log.warning("something did not close: %s", type(error).__name__)
        if late:
            log.warning("%d of what was open did not close in time", len(late))
            await self._late(late, CLOSING_MS / 3)

    # -- before the start

    async def _check_redis(self) -> list[Finding]:
        return await check_server(self._settings.redis_url)

    async def _check_kafka(self) -> list[Finding]:
        await self._log.offsets(self._deployment.events_topic, 0)
        return []

    # -- what the group says (streams.intake.hosting.GroupListener)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """See GroupListener. Everything was revoked before: the group's protocol is the eager one."""
        self.status.rebalances += 1
        self.status.assigned = True
        if self.status.stopping:
            return
        log.info("given %d partitions: %s", len(partitions), sorted(partitions))
        for partition in sorted(partitions - self._held.keys()):
            known = self.status.partitions.setdefault(partition, PartitionStatus(partition))
            store = self._store(partition)
            held = _Held(PartitionRunner(partition, store, self._shared, known), store, asyncio.Event())
            self._held[partition] = held
            held.tending = asyncio.ensure_future(self._tend(partition, held))

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """See GroupListener."""
        self.status.assigned = False
        await self._let_go(partitions)

    async def _let_go(self, partitions: frozenset[int], farewell_ms: float = FAREWELL_MS) -> None:
        """Let go of partitions: in order within the deadline, else by abandoning them within another."""
        going = {partition: self._held[partition] for partition in partitions if partition in self._held}
        for held in going.values():
            held.leaving.set()
            held.runner.release()
        tasks = {held.tending for held in going.values() if held.tending is not None}
        if tasks:
            late = await self._late(tasks, self._settings.stop_deadline_ms)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d partitions were abandoned: they were not finished in time", len(late))
                await self._late(late, farewell_ms)
        for partition, held in going.items():
            self._held.pop(partition, None)
            self.status.retire(partition)
            with contextlib.suppress(Exception):
                await held.store.close()

    async def _late(self, tasks: "set[asyncio.Task[None]]", deadline_ms: float) -> "set[asyncio.Task[None]]":
        """Wait for tasks, no longer than a deadline; those that are not done."""
        alarm = asyncio.ensure_future(self._clock.sleep(deadline_ms))
        pending = tasks
        while pending and not alarm.done():
            _, waiting = await asyncio.wait({*pending, alarm}, return_when=asyncio.FIRST_COMPLETED)
            pending = waiting - {alarm}
        alarm.cancel()
        return pending

    # -- partitions

    async def _tend(self, partition: int, held: _Held) -> None:
        """Run a partition's tenures, one after the other, until it is let go."""
        try:
            while not held.leaving.is_set():
                session = await self._sessions.live(held.leaving, held.runner.status)
                if session is None or held.leaving.is_set():
                    return
                ending = await held.runner.run(session.publisher, session.ring)
                if ending is TenureEnd.RELEASED:
                    return
                await self._clock.wait(held.leaving, self._pause_ms(ending))
        except TooMuchBadInput as error:
            self._fail(str(error), WRONG)
        except asyncio.CancelledError:
            if self._sessions.current is not None:
                await self._sessions.current.publisher.drop(partition)
            raise
        except Exception as error:
            # our bug: nothing of what it was computing is published
            log.exception("partition %d: a bug", partition)
            self._fail(f"partition {partition}: a bug ({type(error).__name__}), see the log", WRONG)

    def _pause_ms(self, ending: TenureEnd) -> float:
        return {
            TenureEnd.DOUBT: 50,
            # the group must have had the time to say that the partition is somebody else's: two heartbeats
            TenureEnd.OVERTAKEN: max(500, self._settings.session_timeout_ms * 2 / 5),
            TenureEnd.INCIDENT: INCIDENT_RETRY_MS,
        }.get(ending, 0)

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
        )

    def _on_doubt(self, error: BaseException) -> None:
        log.warning("the ring of producers is over: %s", error)
        for held in self._held.values():
            held.runner.on_doubt(error)

    # -- what goes on beside

    async def _commit_offsets(self) -> None:
        committed: dict[int, int] = {}
        while True:
            await self._clock.sleep(COMMIT_EVERY_MS)
            written = {partition: held.runner.written_offset for partition, held in self._held.items()}
            news = {
                partition: offset
                for partition, offset in written.items()
                if offset is not None and committed.get(partition) != offset
            }
            if news:
                await self._app.event_consumer.commit_offsets(news)
                committed = {**{p: at for p, at in committed.items() if p in written}, **news}

    async def _watch(self) -> None:
        watch = SilenceDetector(
            self._log,
            self._deployment.events_topic,
            self._shared.input,
            self._clock,
            self.status,
            lambda why: self._fail(why, UNREACHABLE),
        )
        await watch.run(lambda: {partition: held.runner for partition, held in self._held.items()})

    async def _collect_garbage(self) -> None:
        with Garbage(self._clock) as garbage:
            while True:
                garbage.look(self.status.rebalances)
                await self._clock.sleep(LOOK_EVERY_MS)

    async def _until_app_ends(self) -> None:
        await self._app.wait_until_stopped()
        if not self.status.stopping:
            self._fail("the consumer ended", UNREACHABLE)


async def run_until_signal(worker: Worker) -> int:
    """Run a worker; SIGTERM and SIGINT stop it cleanly."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        return await worker.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run_worker(deployment: Deployment, settings: Settings) -> int:
    """Run a worker in this process to its end; returns the exit status. For `segue worker`."""
    logs.configure()

    async def main() -> int:
        return await run_until_signal(Worker(deployment, settings))

    return uvloop.run(main())

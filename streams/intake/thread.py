"""aiokafka's consumer of the event topic, where Faust has a thread for it: here it runs in the worker's main loop.

In Faust a thread with a loop of its own runs the consumer. Both threads need the interpreter's lock, and a thread that
computes gives it up only after the switch interval, 5 ms. A fetch takes several such turns. With one loop a fetch waits
for the turn of the main loop only, and a worker spends less time an event.

So nothing but the main loop sends heartbeats. No task may keep the loop for long against `session_timeout_ms`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any, Final, cast

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.actions import told
from streams.intake.gathering import Gathering
from streams.intake.hosting import Host
from streams.intake.input import InputOffsets
from streams.log import consumers

log = logging.getLogger(__name__)

FETCH_WAIT_MS: Final = 25
"""How long the broker may hold back an empty answer. It must be short: aiokafka has one request in flight to a node,
and records of partitions that are not in the request wait for its answer."""
GATHER_BYTES: Final = 1 << 18
"""With so many bytes the broker gathers no longer: a fetch is cheap against the records themselves."""

HEARTBEATS_A_SESSION: Final = 20
"""A worker learns by a heartbeat that the group gives its partitions anew. The first to learn it lets go, and waits for
the last: partitions stand for up to an interval more (docs/operations/kubernetes.md has figures)."""


class _InLoop:
    """Runs the service in a task, where mode has a thread."""

    def __init__(self, service: "ConsumerThread") -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.ensure_future(self._service.serve())

    def stop(self) -> None:
        """Do nothing: the service waits for its own end."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread without a thread: its consumer reads committed records and never resets a position."""

    Worker: Any = _InLoop

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, beacon: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, beacon=beacon)
        self._gathering = Gathering()

    async def on_start(self) -> None:
        """Start the consumer; see Faust."""
        await super().on_start()
        _tell_at_once(self._ensure_consumer()._fetcher)  # noqa: SLF001

    async def serve(self) -> None:
        """Serve until it is stopped. A failure has been told by then: `start` or the application raises it."""
        try:
            await self._serve()
        except Exception:
            self.set_shutdown()

    async def _gather_remaining_tasks(self) -> None:
        """Do nothing: mode ends every task of the thread's loop here, and this loop is the worker's."""

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call: there is no other thread."""
        answer = fun(*args, **kwargs)
        return await answer if isawaitable(answer) else answer

    def _create_worker_consumer(self, transport: Any) -> consumers.Consumer:
        options = cast("Host", self.app).options
        self._assignor = RoundRobinPartitionAssignor
        return consumers.Consumer(
            **options.connection.options(),
            client_id="segue",
            group_id=options.group,
            group_instance_id=options.group_instance_id or None,
            leaves=options.leave_group,
            on_replaced=cast("Host", self.app).listener.on_replaced,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=options.request_timeout_ms,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=max(200, options.session_timeout_ms // HEARTBEATS_A_SESSION),
            rebalance_timeout_ms=options.rebalance_timeout_ms,
            # a worker that holds its partitions for long stays in the group: the loop of _drain_messages polls
            max_poll_interval_ms=300_000,
            check_crcs=True,
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust looks for stuck streams here, and there are none. The worker detects silence itself."""

    def offsets(self, tp: TP) -> InputOffsets:
        """Return how far a partition is read. Reads plain attributes of aiokafka."""
        consumer = self._consumer
        subscription = None if consumer is None else consumer._subscription.subscription  # noqa: SLF001
        assignment = None if subscription is None else subscription.assignment
        # a TP and a TopicPartition are equal, and None is told for what is not assigned
        state = None if assignment is None else assignment.state_value(tp)
        if state is None:
            return InputOffsets(None, None)
        position = state.position if state.has_valid_position else None
        return InputOffsets(position, state.highwater, state.timestamp)

    def gather(self, *, gathering: bool) -> None:
        """Say how the next fetch waits: for more records for a short while, or for the first record for longer."""
        fetcher = self._ensure_consumer()._fetcher  # noqa: SLF001 - aiokafka fixes both for a consumer's life
        fetcher._fetch_min_bytes = GATHER_BYTES if gathering else 1  # noqa: SLF001
        fetcher._fetch_max_wait_ms = self._gathering.wait_ms() if gathering else FETCH_WAIT_MS  # noqa: SLF001

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit group offsets. Only lag tools read them, so a failure is logged and forgotten."""
        consumer = self._ensure_consumer()
        mine = {TopicPartition(*tp): OffsetAndMetadata(at, "") for tp, at in offsets.items() if tp in self.assignment()}
        if not mine:
            return
        try:
            await consumer.commit(mine)
        except (KafkaError, ValueError) as error:
            why = type(error).__name__
            log.info("group offsets were not committed: %s", why, extra=told("commit_failed", why=why))

    async def touch(self) -> None:
        """Tell aiokafka that this consumer still polls, though no partition is open."""
        with self._ensure_consumer()._fetcher._subscriptions.fetch_context():  # noqa: SLF001
            pass


def _tell_at_once(fetcher: Any) -> None:
    """Let an answer wake who waits for records, at once.

    In aiokafka the routine that sends fetches wakes him, two turns of the loop later, and a turn lasts as long as all
    partitions compute. Then it looks what to fetch before anything was taken, and again afterwards. Woken at once, he
    has taken the records when the routine goes on, and it sends the next fetch.
    """
    process = fetcher._proc_fetch_request  # noqa: SLF001

    async def processed(assignment: Any, node_id: int, request: Any) -> bool:
        found: bool = await process(assignment, node_id, request)
        if found:
            for waiter in list(fetcher._fetch_waiters):  # noqa: SLF001
                fetcher._notify(waiter)  # noqa: SLF001
        return found

    fetcher._proc_fetch_request = processed  # noqa: SLF001

"""The Faust application that hosts a worker: life cycle, consumer group, rebalancing, timers.

The application uses only what Faust does well: no producer of Faust's (streams/partition/publisher.py publishes), no
tables, no agents, no topic declarations, no web server of Faust's (streams/web.py serves the pages from before the
first connection on). Codecs are `raw` both ways, so nothing ever calls `pickle`.

`await app.start()` starts it, not Faust's `Worker`. Faust skips its revoked signal while it stops, so signals, logging
and the order of a stop belong to streams/worker/worker.py.
"""

import logging
from typing import Final, cast

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from yarl import URL

from streams.intake.hosting import ConsumerOptions, GroupListener
from streams.intake.input import BatchQueue, InputOffsets
from streams.intake.transport import BatchConsumer, Transport

log = logging.getLogger(__name__)

REBALANCE_MARGIN_MS: Final = 7_000
"""How much longer the group waits than a worker takes to let go of its partitions."""


class _Boot(BootStrategy):
    enable_kafka_producer = False
    enable_sensors = False
    enable_web = False


class _NoTables(TableManager):
    """Starts at once. Faust's own first waits a second, in which a program may declare tables; the consumer joins the
    group after that. So each start of a worker, also after a crash, would take a second longer.
    """

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class App(faust.App):
    """A Faust application whose transport is `streams.intake.transport`."""

    BootStrategy = _Boot

    def __init__(self, options: ConsumerOptions, listener: GroupListener) -> None:
        self.options = options
        """How the event topic is read; `streams.intake.transport` looks here."""
        self.listener = listener
        super().__init__(
            options.group,
            broker=[URL(f"kafka://{server.strip()}") for server in options.connection.bootstrap_servers.split(",")],
            broker_session_timeout=options.session_timeout_ms / 1000,
            broker_rebalance_timeout=options.rebalance_timeout_ms / 1000,
            broker_request_timeout=max(options.request_timeout_ms, options.session_timeout_ms) / 1000,
            broker_commit_interval=60.0,
            autodiscover=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            key_serializer="raw",
            value_serializer="raw",
            web_enabled=False,
            worker_redirect_stdouts=False,
            TableManager=_NoTables,
            datadir="/nonexistent",  # nothing is kept on disk: Faust makes the folder for tables only
        )
        self.topics.add(self.topic(options.topic, value_type=bytes, key_type=bytes))

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Make no directory."""

    @property
    def event_consumer(self) -> BatchConsumer:
        """The consumer of the event topic. Faust makes it late, and anew when the application is restarted."""
        return cast("BatchConsumer", self.consumer)


class HostedInput:
    """The Input of the consumer that the application has at the moment of each call."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def open(self, partition: int, offset: int, queue: BatchQueue) -> None:
        await self._app.event_consumer.open(partition, offset, queue)

    def shut(self, partition: int) -> None:
        self._app.event_consumer.shut(partition)

    def hold(self, partition: int) -> None:
        self._app.event_consumer.hold(partition)

    def resume(self, partition: int) -> None:
        self._app.event_consumer.resume(partition)

    def offsets(self, partition: int) -> InputOffsets:
        return self._app.event_consumer.offsets(partition)

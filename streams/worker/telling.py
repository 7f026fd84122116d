"""The metrics of one worker, put together: its counts, what its lookout sees, and the page /metrics."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from streams.actions import told
from streams.clock import Clock
from streams.intake.input import Input
from streams.log.admin import connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.terms import Log
from streams.metrics.names import OF_WORKER
from streams.metrics.server import serving_metrics
from streams.metrics.spans import Spans, SpansMissing
from streams.metrics.tally import Tally
from streams.partition.runner import PartitionRunner
from streams.settings import WORKER_METRICS_PORT, Deployment, Settings
from streams.worker.catalogues import Catalogues
from streams.worker.lookout import Lookout, Retention
from streams.worker.metrics import WorkerMetrics
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

FLUSH_MS: Final = 1_000
"""How long the last spans may take at the end."""


class Telling:
    """Tells Prometheus of one worker, if the settings want it."""

    def __init__(
        self,
        deployment: Deployment,
        settings: Settings,
        connection: KafkaConnection,
        source: Log,
        status: WorkerStatus,
        catalogues: Catalogues,
        clock: Clock,
    ) -> None:
        self._deployment: Final = deployment
        self._settings: Final = settings
        self._connection: Final = connection
        self._source: Final = source
        self._status: Final = status
        self._catalogues: Final = catalogues
        self._clock: Final = clock
        self.tally: Final = Tally() if settings.metrics else None
        """What the partitions count; None: nobody asks for it."""
        self.wrong = ""
        """Why what is wanted cannot be told."""
        self.spans: Spans | None = None
        """Makes spans; None: nobody asks for them."""
        if settings.otel:
            try:
                self.spans = Spans(deployment.generation)
            except SpansMissing as missing:
                self.wrong = str(missing)
        self._lookout: Lookout | None = None

    @asynccontextmanager
    async def page(self, reads: Input, runners: Callable[[], Mapping[int, PartitionRunner]]) -> AsyncIterator[None]:
        """Answer /metrics. Raises AddressRefused."""
        if self.tally is None or not isinstance(self._source, KafkaLog):
            yield
            return
        lookout = self._lookout = Lookout(
            self._source,
            self._retention,
            self._deployment,
            self._status,
            reads,
            lambda: self._catalogues.loaded,
            runners,
            self._clock,
        )
        settings = self._settings
        metrics = WorkerMetrics(
            self._status,
            self.tally,
            lookout,
            lambda: self._catalogues.loaded,
            self._clock,
            restricted=settings.metrics_restricted,
        )
        port = WORKER_METRICS_PORT if settings.metrics_port is None else settings.metrics_port
        async with serving_metrics(OF_WORKER, metrics.read, settings.metrics_host, port) as where:
            log.info("metrics answer at %s", where, extra=told("metrics_listen", address=where))
            yield

    async def flush(self) -> None:
        """Send the last spans, within a deadline."""
        if self.spans is not None:
            await asyncio.to_thread(self.spans.flush, FLUSH_MS)

    async def look(self) -> None:
        """Look without end at what the worker's own work does not show."""
        if self._lookout is not None:
            await self._lookout.run()

    async def _retention(self) -> Retention | None:
        """Return how long the input is kept; None: this user may not read it. Raises NotReachable."""
        topic = self._deployment.events_topic
        async with connected(self._connection) as cluster:
            found = (await cluster.existing([topic])).get(topic)
        if found is None or found.configs is None:
            return None
        kept = {name: int(found.configs.get(name, -1)) for name in ("retention.ms", "retention.bytes")}
        return Retention(kept["retention.ms"], kept["retention.bytes"])

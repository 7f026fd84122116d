"""aiokafka's consumer, as Segue needs it: it reads past any header name, and it stops.

Traps of aiokafka 0.14.0 met here: a header name that is not UTF-8 ends its fetcher (see `streams.log.batches`); and its
`stop` lets the end of its fetcher's own tasks out as if whoever stops it had been cancelled, and leaves the connections
open then (aio-libs/aiokafka issue 647: after a fetch that failed, say, because the broker is away or slow).
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.log.batches import accept_any_header_name


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Any consumer of Segue's own; arguments and errors are aiokafka's."""

    def __init__(self, *topics: str, **options: Any) -> None:
        accept_any_header_name()
        super().__init__(*topics, **options)

    async def stop(self) -> None:
        """Stop, and let go of all connections. Raises CancelledError only where the caller was cancelled."""
        stopping = asyncio.current_task()
        cancelled = 0 if stopping is None else stopping.cancelling()
        try:
            await super().stop()
        except asyncio.CancelledError:
            if stopping is not None and stopping.cancelling() > cancelled:
                raise
            fetcher = self._fetcher
            fetching = [] if fetcher is None else [fetcher._fetch_task, *fetcher._pending_tasks]  # noqa: SLF001
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)
            await self._client.close()
        if stopping is not None and stopping.cancelling() > cancelled:
            # aiokafka takes a cancellation that comes while it waits for its own tasks for theirs
            raise asyncio.CancelledError

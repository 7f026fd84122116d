"""The consumer of Segue's own processes. Make no other: it accepts any header name, and it stops whole."""

from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.client.stopping import stop_whole
from streams.log.batches import accept_any_header_name


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, with its arguments and errors."""

    def __init__(self, *topics: str, **options: Any) -> None:
        accept_any_header_name()
        super().__init__(*topics, **options)

    async def stop(self) -> None:
        """Stop, and close all connections. Raises CancelledError only if the caller was cancelled."""
        await stop_whole(self, super().stop)

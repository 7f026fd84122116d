"""aiokafka's consumer, as Segue needs it: it reads past any header name (see `streams.log.batches`), and it stops."""

from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.client.stopping import stop_whole
from streams.log.batches import accept_any_header_name


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Any consumer of Segue's own; arguments and errors are aiokafka's."""

    def __init__(self, *topics: str, **options: Any) -> None:
        accept_any_header_name()
        super().__init__(*topics, **options)

    async def stop(self) -> None:
        """Stop, and let go of all connections. Raises CancelledError only where the caller was cancelled."""
        await stop_whole(self, super().stop)

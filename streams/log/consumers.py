"""The consumer of Segue's own processes. Make no other: it accepts any header name, and it stops whole."""

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.client.stopping import stop_whole
from streams.log.batches import accept_any_header_name
from streams.log.static import StaticMember


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, with its arguments and errors.

    With a `group_instance_id` subscribe after `start`. `on_replaced` is called when another process joins with it.
    """

    def __init__(self, *topics: str, on_replaced: Callable[[], None] = lambda: None, **options: Any) -> None:
        accept_any_header_name()
        super().__init__(*topics, **options)
        self._on_replaced = on_replaced

    async def start(self) -> None:
        """Connect; see AIOKafkaConsumer."""
        await super().start()
        coordinator, instance = self._coordinator, self._group_instance_id
        if instance is not None:
            coordinator._send_req = StaticMember(coordinator._send_req, instance, self._on_replaced).send  # noqa: SLF001

    async def stop(self) -> None:
        """Stop, and close all connections. Raises CancelledError only if the caller was cancelled."""
        await stop_whole(self, super().stop)

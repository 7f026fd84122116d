"""The consumer of Segue's own processes. Make no other: it accepts any header name, and it stops whole."""

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.client.stopping import stop_whole
from streams.log.batches import accept_any_header_name
from streams.log.static import StaticMember


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, with its arguments and errors.

    With a `group_instance_id` subscribe after `start`. `on_replaced` is called when another process joins with it;
    `leaves` says whether `stop` leaves the group.
    """

    def __init__(
        self, *topics: str, on_replaced: Callable[[], None] = lambda: None, leaves: bool = True, **options: Any
    ) -> None:
        accept_any_header_name()
        super().__init__(*topics, **options)
        self._on_replaced = on_replaced
        self._leaves = leaves

    async def start(self) -> None:
        """Connect; see AIOKafkaConsumer."""
        await super().start()
        if self._group_instance_id is not None:
            StaticMember(self._coordinator, self._group_instance_id, self._on_replaced, leaves=self._leaves)

    async def stop(self) -> None:
        """Stop, and close all connections. Raises CancelledError only if the caller was cancelled."""
        await stop_whole(self, super().stop)

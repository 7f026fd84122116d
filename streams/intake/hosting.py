"""What the transport asks of the application, and what the worker hears from the consumer group."""

from dataclasses import dataclass
from typing import Protocol

from streams.log.connection import KafkaConnection


class GroupListener(Protocol):
    """Hears from the consumer group which partitions are this worker's. `Worker` is one."""

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Learn all partitions that are this worker's from now on. Must return soon: the group waits."""
        ...

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Let go of partitions in order, within a deadline. Their next owner waits for this to return."""
        ...

    def on_replaced(self) -> None:
        """Learn that another process has joined the group with this worker's instance id, and has its partitions."""
        ...


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How the consumer reads the event topic. Times in ms."""

    topic: str
    connection: KafkaConnection
    group: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    """How long the group waits for a worker that is letting go of its partitions."""
    request_timeout_ms: int = 30_000
    group_instance_id: str = ""
    """The name of a static member (streams/log/static.py); "": it is none."""
    leave_group: bool = True
    """Whether a static member leaves the group when it stops; every other member does."""


class Host(Protocol):
    """What the transport asks of the application."""

    options: ConsumerOptions
    listener: GroupListener

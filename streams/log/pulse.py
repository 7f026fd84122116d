"""Does Kafka answer? One small request over connections of its own, which nothing else waits for.

It asks for the list of brokers, which every user may read. One broker that does not answer is not Kafka being away: the
others are asked as well, after a short while.
"""

import asyncio
from typing import Final

from aiokafka import client as aiokafka_client
from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest

from streams.errors import NotReachable
from streams.log.connection import KafkaConnection

NEXT_S: Final = 0.5
"""How long one broker has before the next one is asked as well."""
REQUEST_MS: Final = 5_000
"""For a connection, and for each answer. Then the broker is asked again, over a new connection."""
Node = tuple[str, int]


class KafkaPulse:
    """Asks whether any broker answers. For one event loop, one question at a time."""

    def __init__(self, connection: KafkaConnection) -> None:
        options = dict(connection.options())
        hosts = collect_hosts(options.pop("bootstrap_servers"))
        self._seeds: Final[tuple[Node, ...]] = tuple((host, port) for host, port, _ in hosts)
        self._options: Final = options
        self._access: Final = connection.access
        self._known: tuple[Node, ...] = ()
        """The brokers that the last answer named; the one that answered comes first."""
        self._connections: dict[Node, AIOKafkaConnection] = {}

    async def ask(self) -> None:
        """Return when a broker has answered. Raises NotReachable: none of them can be asked.

        While a broker refuses another client of this process, a new connection tells whether it still does: it lets go
        on a connection that was made with an older password.
        """
        if self._access.refusal is not None:
            await self.close()
        waiting = list(dict.fromkeys([*self._known, *self._seeds]))
        asking: dict[asyncio.Task[None], Node] = {}
        why = "no broker is known"
        try:
            while waiting or asking:
                if waiting:
                    node = waiting.pop(0)
                    asking[asyncio.ensure_future(self._ask(node))] = node
                done, _ = await asyncio.wait(
                    asking, timeout=NEXT_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    node = asking.pop(task)
                    error = task.exception()
                    if error is None:
                        return
                    if not isinstance(error, KafkaError | OSError | TimeoutError):
                        raise error
                    refusal = self._access.refusal
                    why = f"{node[0]}:{node[1]} {_said(error)}" if refusal is None else str(refusal)
        finally:
            for task, node in asking.items():
                task.cancel()
                self._drop(node)
            await asyncio.gather(*asking, return_exceptions=True)
        raise NotReachable(why)

    async def _ask(self, node: Node) -> None:
        connection = self._connections.get(node)
        if connection is None or not connection.connected():
            connection = await aiokafka_client.create_conn(
                *node, client_id="segue-pulse", request_timeout_ms=REQUEST_MS, **self._options
            )
            self._connections[node] = connection
        try:
            answer = await connection.send(MetadataRequest([]))
        except BaseException:
            self._drop(node)
            raise
        self._known = (node, *((each[1], each[2]) for each in answer.brokers if (each[1], each[2]) != node))

    def _drop(self, node: Node) -> None:
        connection = self._connections.pop(node, None)
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """Close every connection."""
        for node in list(self._connections):
            self._drop(node)


def _said(error: BaseException) -> str:
    """Say in words what a broker did; the kind of the error where there are none for it."""
    if isinstance(error, TimeoutError | RequestTimedOutError):
        return "does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    return f"cannot be asked ({type(error).__name__})"

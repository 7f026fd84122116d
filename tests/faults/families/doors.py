"""A Kafka for one run with a second listener: workers connect through a proxy, senders and readers directly."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.embedded import KafkaServer
from streams.embedded.server import LOOPBACK, free_port
from tests.faults.fault import Context
from tests.faults.proxy import Proxy


@asynccontextmanager
async def proxied(context: Context) -> AsyncIterator[tuple[KafkaServer, Proxy]]:
    """Start such a broker. Senders and readers use `kafka.bootstrap`, workers use `door(proxy)`."""
    async with Proxy((LOOPBACK, 1), frames=True) as proxy:
        own, behind, controller = free_port(), free_port(), free_port()
        listeners = {"PLAINTEXT": own, "BEHIND": behind, "CONTROLLER": controller}
        kafka = KafkaServer(
            settings={
                "listeners": ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in listeners.items()),
                "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{own},BEHIND://{LOOPBACK}:{proxy.port}",
                "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
                "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            },
            remove=context.servers.folder,
        )
        proxy.target = (LOOPBACK, behind)
        try:
            await asyncio.to_thread(kafka.start, context.servers.folder / f"kafka-{secrets.token_hex(4)}", own)
            yield kafka, proxy
        finally:
            await asyncio.to_thread(kafka.kill)


def door(proxy: Proxy) -> str:
    """Return the bootstrap servers that lead through a proxy."""
    return f"{LOOPBACK}:{proxy.port}"

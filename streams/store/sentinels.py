"""Ask sentinels which server is the primary. Nothing is kept: a failover may happen at any time."""

import asyncio
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from streams.errors import StoreRefused, Unanswered
from streams.secret import SecretUnreadable
from streams.store.access import Node, Sentinels
from streams.store.opening import mismatch, opened
from streams.store.troubles import NoSuchPrimary, trouble

EACH_S: Final = 1.0
"""How long one sentinel may take: the next one is asked then."""


async def primary_of(sentinels: Sentinels) -> Node:
    """Return the primary that the first sentinel to answer names. Raises Unanswered: the trouble that says most."""
    troubles = []
    for node in sentinels.nodes:
        try:
            return await _ask(node, sentinels)
        except (
            RedisError,
            OSError,
            TimeoutError,
            asyncio.IncompleteReadError,
            NoSuchPrimary,
            SecretUnreadable,
        ) as error:
            found = trouble(error, sentinels.entry, node)
            if not isinstance(found, StoreRefused) and not isinstance(error, ConnectionRefusedError):
                found = await mismatch(node, sentinels.entry) or found
            troubles.append(found)
        except Unanswered as error:
            troubles.append(error)
    raise next((one for one in troubles if isinstance(one, StoreRefused)), troubles[0])


async def _ask(node: Node, sentinels: Sentinels) -> Node:
    connection = await opened(node, sentinels.entry, timeout_s=EACH_S)
    try:
        async with asyncio.timeout(EACH_S):
            await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.master)
            found = await connection.read_response()
    except ResponseError as error:
        if "No such master" in str(error):
            raise NoSuchPrimary(sentinels.master) from None
        raise
    finally:
        await connection.disconnect(nowait=True)
    if not found:
        raise NoSuchPrimary(sentinels.master)
    host, port = found
    return Node(host.decode(), int(port))


async def is_primary(connection: AbstractConnection) -> bool:
    """Tell whether a server takes itself for a primary. A sentinel may name the old one for a moment."""
    await connection.send_command("ROLE")
    found = await connection.read_response()
    return bool(found[0] == b"master")

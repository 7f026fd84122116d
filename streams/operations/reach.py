"""How a server that an operation could not use can be reached: what a plain connection to its addresses meets."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, TypeAlias

Reach: TypeAlias = Literal["refused", "unknown", "silent", "open"]
"""The connection is refused; there is no host of that name; nothing answers; something answers."""
ORDER: Final[tuple[Reach, ...]] = ("open", "silent", "refused", "unknown")
"""Of several addresses, the one that came furthest tells."""
CONNECT_S: Final = 2.0
"""How long a connection may take: the client libraries have waited for long before."""


async def reach_of(addresses: Sequence[tuple[str, int]]) -> Reach:
    """Return how far a connection to the best of these (host, port) comes; "silent" where there are none."""
    found = set(await asyncio.gather(*(_reach(host, port) for host, port in addresses)))
    return next((each for each in ORDER if each in found), "silent")


def host_and_port(address: str, port: int) -> tuple[str, int]:
    """Read `host:port`, `[::1]:port` or `host`; `port` is the usual one."""
    host, colon, given = address.strip().rpartition(":")
    if not colon or not given.isdecimal() or (host.count(":") and not host.startswith("[")):
        return address.strip().strip("[]"), port
    return host.strip("[]"), int(given)


async def _reach(host: str, port: int) -> Reach:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return "unknown"
    except TimeoutError:
        return "silent"
    except (OSError, OverflowError, ValueError):
        return "refused"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return "open"

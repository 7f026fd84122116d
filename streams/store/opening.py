"""Open one connection to one server: TCP or TLS, login, database. Without redis-py's retries and health checks.

redis-py's time-out is off, and ours stands around it: with a time-out, redis-py sends through `asyncio.wait_for`, which
before Python 3.12 swallows a cancellation that comes while the bytes go out. A task that is cancelled must end.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from streams.errors import Unanswered
from streams.store.access import Entry, Node
from streams.store.tls import Tls
from streams.store.troubles import takes_no_tls, takes_tls_only, trouble, wrong_file

T = TypeVar("T")

PROBE_S: Final = 1.0
"""How long it may take to find out whether a port that broke off speaks TLS."""
_PLAIN: Final[Mapping[str, Any]] = {
    "socket_timeout": None,
    "socket_connect_timeout": None,
    "protocol": 2,
    "decode_responses": False,
    "retry": None,
    "retry_on_timeout": False,
    "retry_on_error": [],
    "health_check_interval": 0,
    # CLIENT SETINFO would be one more right, for a line in CLIENT LIST
    "driver_info": None,
}


async def opened(
    node: Node, entry: Entry, *, timeout_s: float, database: int = 0, more: Mapping[str, Any] | None = None
) -> AbstractConnection:
    """Return a new connection; secrets and certificates are read now. Raises what `troubles.trouble` explains."""
    arguments: dict[str, Any] = {**(more or {}), **_PLAIN, "db": database}
    password = entry.password.reveal()
    if entry.username or password:
        arguments |= {"username": entry.username or None, "password": password}
    connection = _made(node, entry, arguments)
    try:
        async with asyncio.timeout(timeout_s):
            await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _made(node: Node, entry: Entry, arguments: dict[str, Any]) -> AbstractConnection:
    if node.path:
        return UnixDomainSocketConnection(path=node.path, **arguments)
    arguments |= {"host": node.host, "port": node.port}
    if entry.tls is None:
        return Connection(**arguments)
    connection = SSLConnection(**arguments)
    try:
        # redis-py would read the files anew each time, and trust the system's authorities as well
        connection.ssl_context.context = entry.tls.context()
    except OSError as error:
        raise wrong_file(entry, error) from None
    return connection


async def mismatch(node: Node, entry: Entry) -> Unanswered | None:
    """Find out why a port broke off before its first answer: it speaks TLS while we do not, or the reverse, or it wants
    a certificate.

    A plain port that gets a TLS greeting says nothing at all; a TLS port that gets plain text just closes; the alert
    about a certificate may be lost when we have sent a command. So this knocks again: it sends PING in plain text, or
    begins TLS and listens. It logs in nowhere.
    """
    if node.path:
        return None
    where = f"{entry.kind} at {node}"
    if entry.tls is None:
        return takes_tls_only(entry, where) if await _quickly(_begins_tls(node)) else None
    if await _quickly(_answers_plain(node)):
        return takes_no_tls(entry, where)
    alert = await _quickly(_alert(node, entry.tls))
    return None if alert is None else trouble(alert, entry, node)


async def _quickly(knock: Awaitable[T]) -> T | None:
    with suppress(OSError, TimeoutError, EOFError):
        async with asyncio.timeout(PROBE_S):
            return await knock
    return None


async def _alert(node: Node, tls: Tls) -> ssl.SSLError | None:
    """Return what the server says of our certificate."""
    reader, writer = await asyncio.open_connection(node.host, node.port, ssl=tls.context())
    try:
        await reader.read(1)
    except ssl.SSLError as error:
        return error
    finally:
        writer.close()
    return None


async def _answers_plain(node: Node) -> bool:
    reader, writer = await asyncio.open_connection(node.host, node.port)
    try:
        writer.write(b"PING\r\n")
        await writer.drain()
        return (await reader.read(1)) in (b"+", b"-")
    finally:
        writer.close()


async def _begins_tls(node: Node) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(node.host, node.port, ssl=context)
    except ssl.SSLError as error:
        # an alert is TLS, too: it may ask for a certificate of ours
        return "ALERT" in (error.reason or "")
    writer.close()
    return True

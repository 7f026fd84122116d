"""A broker that hangs up as soon as it let the client in leaves a connection that is closed, and nothing worse."""

import asyncio
import struct

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.log.connecting import _Connection

VERSIONS = b"".join(struct.pack(">hhh", *each) for each in ((17, 0, 0), (18, 0, 0), (3, 0, 1)))
"""The versions that the broker speaks: of SaslHandshake, ApiVersions and Metadata."""


async def lets_in_and_hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak as a broker does until the client is in (SASL PLAIN), and close the connection then."""

    async def asked() -> int:
        length = struct.unpack(">i", await reader.readexactly(4))[0]
        number: int = struct.unpack(">hhi", (await reader.readexactly(length))[:8])[2]
        return number

    def answer(body: bytes) -> None:
        writer.write(struct.pack(">i", len(body)) + body)

    answer(struct.pack(">ihi", await asked(), 0, 3) + VERSIONS)
    answer(struct.pack(">ihi", await asked(), 0, 1) + struct.pack(">h", 5) + b"PLAIN")
    await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0])
    answer(b"")
    await writer.drain()
    writer.close()


async def test_a_broker_that_hangs_up_once_the_client_is_in_fails_what_is_sent_next() -> None:
    server = await asyncio.start_server(lets_in_and_hangs_up, "127.0.0.1", 0)
    async with server:
        connection = _Connection(
            "127.0.0.1",
            server.sockets[0].getsockname()[1],
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_plain_username="u",
            sasl_plain_password="p",
        )
        await connection.connect()
        with pytest.raises(KafkaConnectionError):
            await connection.send(MetadataRequest([]))
        connection.close()

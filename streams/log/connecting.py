"""Each connection to a broker: it takes credentials and certificates as they are then, and notes a refusal.

aiokafka logs why a connection failed and forgets it: a wrong password and a broker that is away look the same to its
callers, for ever. It also takes a token that the broker refused for accepted. Here each connection of a client that was
made by `KafkaConnection.options` goes through `_connect`, which tells its `Access`.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka import client as aiokafka_client
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator, create_conn
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from streams.errors import Refused
from streams.log.answers import Answer, Answers
from streams.log.refusals import hung_up, of_connection, of_file
from streams.log.tls import TlsUnusable
from streams.log.tokens import TokenUnavailable
from streams.secret import SecretUnreadable

if TYPE_CHECKING:
    from streams.log.connection import KafkaConnection


REMEMBERED_S: Final = 60.0
"""Clients that need a broker ask it again sooner than this."""
LACKED_S: Final = 15.0
"""What needs a right asks again sooner than this."""
CLOSE_S: Final = 0.5
"""How long the end of a connection that failed may take."""


class Access(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gives each connection its credentials, and remembers which brokers refused them last.

    It travels through aiokafka as the provider of tokens: every client takes one and hands it to each connection.
    """

    def __init__(self, connection: "KafkaConnection") -> None:
        self._connection = connection
        self._refusals: dict[tuple[str, int], tuple[float, Refused]] = {}
        self._lacked: tuple[float, Refused | None] = (0.0, None)
        self._let_in = False
        self._hung_up = ""

    @property
    def refusal(self) -> Refused | None:
        """Why a broker refused its last connection; None: none did, each has let one through since, or nobody has asked
        it again for a while.
        """
        recent_s = time.monotonic() - REMEMBERED_S
        return next((refused for at_s, refused in self._refusals.values() if at_s > recent_s), None)

    def lacked(self, refused: Refused) -> None:
        """Note that a right was missing."""
        self._lacked = (time.monotonic(), refused)

    def told(self) -> str:
        """Return the sentence of that refusal, or of a right that was missing a moment ago; "" for none."""
        if self.refusal is not None:
            return self.refusal.sentence
        at_s, lacked = self._lacked
        return lacked.sentence if lacked is not None and time.monotonic() - at_s < LACKED_S else ""

    def hint(self) -> str:
        """Say what is probably wrong where a broker hung up and none ever let this process in; "" otherwise."""
        if self._let_in or not self._hung_up:
            return ""
        return (
            f"Kafka at {self._hung_up} hangs up: does it speak {self._connection.protocol} there?"
            " See SEGUE_KAFKA_SECURITY_PROTOCOL"
        )

    async def token(self) -> str:
        """Return a token for a new connection. Raises TokenUnavailable."""
        sasl = self._connection.sasl
        if sasl is None or sasl.tokens is None:
            raise TokenUnavailable("no source of tokens is set")
        return await sasl.tokens.token()

    def credentials(self) -> dict[str, Any]:
        """Return the credentials as they are now. Reads files. Raises TlsUnusable, SecretUnreadable."""
        connection = self._connection
        found: dict[str, Any] = {}
        if connection.encrypted:
            found["ssl_context"] = connection.tls.context()
        if connection.sasl is not None:
            found["sasl_plain_username"] = connection.sasl.username
            found["sasl_plain_password"] = connection.sasl.password.reveal()
        return found

    def failed(self, address: tuple[str, int], error: BaseException) -> Refused | None:
        """Note that a connection failed. Returns the refusal, None where it was no refusal but a broker away."""
        if isinstance(error, TlsUnusable | SecretUnreadable):
            refused: Refused | None = of_file(error)
        else:
            refused = of_connection(error, address, self._connection)
        if refused is not None:
            self._refusals[address] = (time.monotonic(), refused)
        elif hung_up(error):
            self._hung_up = f"{address[0]}:{address[1]}"
        return refused

    def succeeded(self, address: tuple[str, int]) -> None:
        """Note that a broker has let a connection through."""
        self._let_in = True
        self._refusals.pop(address, None)


class _TokenAuthenticator(OAuthAuthenticator):  # type: ignore[misc]
    """aiokafka's, which hears a refusal: the broker answers it with a challenge, not with an error (RFC 7628)."""

    async def step(self, payload: bytes | None) -> Any:
        if payload:
            raise SaslAuthenticationFailed(payload.decode(errors="replace"))
        return await super().step(payload)


class _Connection(AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka's connection with that authenticator, and with answers that are handed over as they come."""

    async def connect(self) -> Any:
        reader, writer = await super().connect()
        # every request so far was answered: none of its bytes is left in the reader. The connection may be closed by
        # now, for a broker that hung up since; whoever sends will learn of it
        reader.feed_data = Answers(self, reader).feed
        return reader, writer

    def send(self, request: Any, expect_response: bool = True) -> Any:
        sending = super().send(request, expect_response)
        if not expect_response:
            return sending
        sending.close()  # it would wait for a future; this is the same with an Answer
        number, sent, _ = self._requests.pop()
        answer = Answer(loop=self._loop)
        self._requests.append((number, sent, answer))
        late = self._loop.call_later(self._request_timeout, answer.late)
        answer.add_done_callback(lambda _: late.cancel())
        return answer

    def authenticator_oauth(self) -> _TokenAuthenticator:
        return _TokenAuthenticator(sasl_oauth_token_provider=self._sasl_oauth_token_provider)


async def _connect(host: str, port: int, **options: Any) -> Any:
    """Stand in for aiokafka's `create_conn`. What fails comes out as a KafkaError or an OSError, as there."""
    # in a task: `answers.at_once` has none, and to connect takes one
    return await asyncio.ensure_future(_connected(host, port, **options))


async def _connected(host: str, port: int, *, sasl_oauth_token_provider: Any = None, **options: Any) -> Any:
    access = sasl_oauth_token_provider
    if not isinstance(access, Access):
        return await create_conn(host, port, sasl_oauth_token_provider=access, **options)
    address = (host, port)
    try:
        # files of a few kB: a thread would cost more than reading them
        options |= access.credentials()
        made = _Connection(host, port, sasl_oauth_token_provider=access, **options)
        await _open(made)
    except (TlsUnusable, SecretUnreadable, TokenUnavailable) as error:
        access.failed(address, error)
        raise KafkaConnectionError(str(error)) from None
    except Exception as error:
        access.failed(address, error)
        raise
    access.succeeded(address)
    return made


async def _open(connection: _Connection) -> None:
    """Open a connection. Where it fails, wait a moment until its socket is closed."""
    try:
        await connection.connect()
    except Exception:
        if connection._protocol is not None:  # noqa: SLF001 - nothing else tells that there is a socket
            await asyncio.wait([connection.close()], timeout=CLOSE_S)
        raise


def take_access_at_each_connection() -> None:
    """Let every client of this process connect so. `KafkaConnection.options` calls it."""
    aiokafka_client.create_conn = _connect

"""The HTTP side: one address, requests with deadlines, an answer or the plain reason why none came.

Uses aiohttp, which Segue has already (Faust serves with it): asynchronous, pooled, answers as streams, time-outs for
connecting and for the whole request. It follows no redirects (a moved address is a setting to change, and credentials
would go along), keeps no cookies, and ignores proxies and .netrc of the environment. aiohttp sends a POST once;
`sender` decides whether to send it again.
"""

import asyncio
import ssl
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from streams.delivery.answers import Answer
from streams.delivery.settings import DeliverySettings

ANSWER_BYTES_MAX: Final = 1 << 20
"""How much of an answer is read: only the list of refused items matters."""
_CHUNK_BYTES: Final = 1 << 16


class NoAnswer(Exception):
    """No whole answer came: the request may or may not have had its effect. The text names no address."""


class Endpoint:
    """One HTTP address that changes are delivered to. For one event loop; close it."""

    def __init__(self, settings: DeliverySettings, path: str) -> None:
        """`path`: the path, for an address that is a host only. Raises OSError, ssl.SSLError for a bad `ca_file`."""
        parts = urlsplit(settings.url)
        bare = not parts.path.strip("/") and not parts.query
        self._path: Final = path
        self._url: Final = URL(f"{parts.scheme}://{parts.netloc}{path}" if bare and path else settings.url)
        self.host: Final = parts.netloc
        self._timeout_ms: Final = settings.timeout_ms
        self._connect_timeout_ms: Final = settings.connect_timeout_ms
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._session: Final = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=settings.concurrency),
            timeout=aiohttp.ClientTimeout(
                total=settings.timeout_ms / 1000, sock_connect=settings.connect_timeout_ms / 1000
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": _agent(), "content-type": "application/json"},
        )

    async def post(self, body: bytes, headers: Mapping[str, str], path: str = "") -> Answer:
        """Send a request once and read its answer. `path`: in the place of the usual one. Raises NoAnswer."""
        url = self._url
        if path and path != self._path:
            url = url.with_path(url.path.rstrip("/").removesuffix(self._path) + path, keep_query=True)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                read = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    read += chunk
                    if len(read) >= ANSWER_BYTES_MAX:
                        break
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, found, bytes(read))
        except aiohttp.ConnectionTimeoutError:
            raise NoAnswer(f"no connection within {self._connect_timeout_ms / 1000:g} s") from None
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout_ms / 1000:g} s") from None
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise NoAnswer(_plain(error)) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        # the transports of TLS connections close a turn later
        await asyncio.sleep(0)


def _agent() -> str:
    try:
        return f"segue/{version('segue')}"
    except PackageNotFoundError:
        return "segue"


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, "its certificate cannot be verified"),
    (aiohttp.ClientSSLError, "no TLS connection"),
    (aiohttp.ClientConnectorDNSError, "its host name is not known"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ClientPayloadError, "the connection broke within the answer"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientOSError, "the connection broke"),
)


def _plain(error: BaseException) -> str:
    """Say a failure without an address: aiohttp's own texts repeat addresses."""
    return next((words for kind, words in _WORDS if isinstance(error, kind)), f"no answer ({type(error).__name__})")

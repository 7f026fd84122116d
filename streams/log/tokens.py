"""Tokens for OAUTHBEARER: from a file, by client credentials over HTTPS, by Amazon's signer, or by code of one's own.

No token and no secret is ever in a text of an error.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isawaitable
from typing import Any, Final

from streams.kafka_settings import KafkaSettings
from streams.secret import Secret, SecretUnreadable

TOKEN_FILE: Final = "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"
PROVIDER: Final = "SEGUE_KAFKA_SASL_OAUTHBEARER_PROVIDER"
PROVIDERS: Final = "segue.kafka_tokens"
"""The group of entry points that name sources of tokens."""
USED_SHARE: Final = 0.8
"""A token is replaced when so much of its time is used up: clocks differ, and a connection takes a while."""
SIGNER: Final = "aws_msk_iam_sasl_signer"
TOKEN_S: Final = 10.0
"""How long other people's code may take for a token. Every connection of the process waits for it."""


class TokenUnavailable(Exception):
    """No token can be had. The text is one sentence that says why and what to do."""

    def __init__(self, sentence: str, *, refused: bool = True) -> None:
        """`refused`: a person must change something; else the same may succeed later."""
        super().__init__(sentence)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and for how long it holds."""

    value: str
    seconds: float

    def __repr__(self) -> str:
        return f"Token(seconds={self.seconds})"


class TokenSource(ABC):
    """Gives tokens. Each new connection asks for one."""

    @abstractmethod
    async def token(self) -> str:
        """Return a token that holds for a while. Raises TokenUnavailable."""


@dataclass(frozen=True, slots=True)
class TokenFile(TokenSource):
    """Reads the token from a file that another program keeps fresh."""

    secret: Secret

    async def token(self) -> str:
        try:
            return await asyncio.to_thread(self.secret.reveal)
        except SecretUnreadable as error:
            raise TokenUnavailable(str(error)) from None


class KeptToken(TokenSource):
    """Keeps a token until most of its time is used up, then gets another. Connections that ask at once share it."""

    def __init__(self, get: Callable[[], Awaitable[Token]], now_s: Callable[[], float] = time.monotonic) -> None:
        self._get = get
        self._now_s = now_s
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._got_s = 0.0

    async def token(self) -> str:
        async with self._lock:
            if self._token is None or self._age_s() > USED_SHARE * self._token.seconds:
                await self._renew()
            assert self._token is not None
            return self._token.value

    async def _renew(self) -> None:
        asked_s = self._now_s()
        try:
            self._token = await self._get()
        except TokenUnavailable:
            # the issuer is away for a moment: the token that is there holds for its last fifth
            if self._token is None or self._age_s() > self._token.seconds:
                raise
        else:
            self._got_s = asked_s

    def _age_s(self) -> float:
        return self._now_s() - self._got_s


class OwnTokens(TokenSource):
    """Asks a function of the user's own code, which keeps its tokens itself."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    async def token(self) -> str:
        try:
            async with asyncio.timeout(TOKEN_S):
                found = await asyncio.to_thread(self._function)
                found = await found if isawaitable(found) else found
        except Exception as error:
            # its text might hold anything
            raise TokenUnavailable(f"{PROVIDER}: it failed with {type(error).__name__}", refused=False) from None
        if not isinstance(found, str) or not found:
            raise TokenUnavailable(f"{PROVIDER}: it returned no token, but {type(found).__name__}")
        return found


def load_provider(name: str) -> Callable[[], Any]:
    """Load a source of tokens by `package.module:function` or by its entry point. Raises ValueError with a sentence."""
    module, colon, function = name.partition(":")
    try:
        if colon:
            found = getattr(import_module(module), function)
        else:
            [point] = entry_points(group=PROVIDERS, name=name)
            found = point.load()
    except ImportError as error:
        raise ValueError(f"{PROVIDER}: {name} cannot be imported: {error}") from None
    except AttributeError:
        raise ValueError(f"{PROVIDER}: {module} has no {function}") from None
    except ValueError:
        raise ValueError(
            f"{PROVIDER}: there is no entry point {name!r} in the group {PROVIDERS}; or give package.module:function"
        ) from None
    if not callable(found):
        raise ValueError(f"{PROVIDER}: {name} is no function")  # noqa: TRY004 - a setting is wrong, not a type
    made: Callable[[], Any] = found
    return made


def msk_signer(region: str) -> Callable[[], Awaitable[Token]]:
    """Return what asks Amazon's signer for a token of this process's AWS identity. Raises ValueError: no extra."""
    try:
        signer = import_module(f"{SIGNER}.MSKAuthTokenProvider")
    except ImportError:
        raise ValueError(
            "SEGUE_KAFKA_SASL_MECHANISM: AWS_MSK_IAM needs Amazon's signer: pip install 'segue[msk]'"
        ) from None

    async def get() -> Token:
        try:
            # it may ask the instance's metadata service: not in the event loop
            async with asyncio.timeout(TOKEN_S):
                value, until_ms = await asyncio.to_thread(signer.generate_auth_token, region)
        except Exception as error:
            what = f"Amazon's signer has no credentials for region {region}: {type(error).__name__}"
            raise TokenUnavailable(what, refused=False) from None
        return Token(value, until_ms / 1000 - time.time())

    return get


def token_source(settings: KafkaSettings) -> TokenSource | None:
    """Make the source that the settings ask for; None: the mechanism needs no tokens. Raises ValueError."""
    file = settings.kafka_sasl_oauthbearer_token_file
    if settings.kafka_sasl_mechanism == "AWS_MSK_IAM":
        return KeptToken(msk_signer(settings.kafka_sasl_aws_region))
    if file is not None:
        return TokenFile(Secret(TOKEN_FILE.removesuffix("_FILE"), file=file))
    if settings.kafka_sasl_oauthbearer_provider:
        return OwnTokens(load_provider(settings.kafka_sasl_oauthbearer_provider))
    if settings.kafka_sasl_oauthbearer_token_endpoint_url:
        # aiohttp takes a while to load, and no other connection needs it
        from streams.log.token_endpoint import TokenEndpoint

        return KeptToken(TokenEndpoint.of(settings).ask)
    return None

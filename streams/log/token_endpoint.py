"""Tokens by client credentials over HTTPS (RFC 6749, section 4.4), as Keycloak, Entra ID and Okta issue them."""

import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from streams.kafka_settings import KafkaSettings
from streams.log.tokens import Token, TokenUnavailable
from streams.secret import Secret, SecretUnreadable

ANSWER_S: Final = 10.0
"""How long the issuer may take."""
BODY_BYTES_MAX: Final = 1 << 16
LIFE_S: Final = 300.0
"""How long a token holds whose issuer does not say so."""
CLIENT: Final = "SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_ID and SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """An issuer, and the client that this process is there."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    cafile: Path | None = None

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """Make it from settings, which have been checked."""
        return cls(
            settings.kafka_sasl_oauthbearer_token_endpoint_url,
            settings.kafka_sasl_oauthbearer_client_id,
            settings.kafka_secret("sasl_oauthbearer_client_secret"),
            settings.kafka_sasl_oauthbearer_scope,
            settings.kafka_sasl_oauthbearer_cafile,
        )

    async def ask(self) -> Token:
        """Ask for a token. Raises TokenUnavailable."""
        where = f"the token endpoint at {urlsplit(self.url).netloc}"
        try:
            secret, context = self.client_secret.reveal(), self._context()
        except SecretUnreadable as error:
            raise TokenUnavailable(str(error)) from None
        # RFC 6749, 2.3.1: both are encoded before they become a user and a password
        login = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        form = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session,
                # a redirect could lead the secret elsewhere
                session.post(self.url, data=form, headers=headers, ssl=context, allow_redirects=False) as answer,
            ):
                status, body = answer.status, await answer.content.read(BODY_BYTES_MAX)
        except aiohttp.ClientConnectorCertificateError:
            what = f"the certificate of {where} is not trusted: see SEGUE_KAFKA_SASL_OAUTHBEARER_CAFILE"
            raise TokenUnavailable(what) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TokenUnavailable(f"{where} does not answer ({type(error).__name__})", refused=False) from None
        return _read(status, body, where)

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=None if self.cafile is None else str(self.cafile))
        except OSError as error:
            why = "there is no certificate (PEM) in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise TokenUnavailable(f"SEGUE_KAFKA_SASL_OAUTHBEARER_CAFILE: {self.cafile}: {why}") from None


def _read(status: int, body: bytes, where: str) -> Token:
    """Take the token out of an answer. What else stands there is told to nobody, but for the error's code."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    found = found if isinstance(found, dict) else {}
    if status != 200:
        # one of a few fixed words (RFC 6749, section 5.2)
        code = found.get("error")
        word = f", {code}" if isinstance(code, str) and code.replace("_", "").isalpha() and len(code) < 40 else ""
        if status >= 500 or status == 429:
            raise TokenUnavailable(f"{where} cannot answer now (status {status}{word})", refused=False)
        raise TokenUnavailable(f"{where} refuses this client (status {status}{word}): see {CLIENT}")
    value, seconds = found.get("access_token"), found.get("expires_in", LIFE_S)
    if not isinstance(value, str) or not value:
        raise TokenUnavailable(f"{where} answered without an access_token: see the address in its setting")
    return Token(value, float(seconds) if isinstance(seconds, int | float) else LIFE_S)

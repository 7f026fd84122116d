"""Tokens for OAUTHBEARER: from a file, by client credentials over HTTPS, or by code of one's own."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from streams.kafka_settings import KafkaSettings
from streams.secret import Secret, SecretUnreadable

TOKEN_FILE: Final = "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"


class TokenUnavailable(Exception):
    """No token can be had. The text is one sentence that says why and what to do."""


class TokenSource(ABC):
    """Gives tokens. Each new connection asks for one: a source keeps a token while it holds."""

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


def token_source(settings: KafkaSettings) -> TokenSource | None:
    """Make the source that the settings ask for; None: the mechanism needs no tokens."""
    file = settings.kafka_sasl_oauthbearer_token_file
    if file is not None:
        return TokenFile(Secret(TOKEN_FILE.removesuffix("_FILE"), file=file))
    return None

"""Tokens for OAUTHBEARER: by client credentials over HTTPS, from a file, or by code of one's own."""

from abc import ABC, abstractmethod

from streams.kafka_settings import KafkaSettings


class TokenUnavailable(Exception):
    """No token can be had. The text is one sentence that says why and what to do."""


class TokenSource(ABC):
    """Gives tokens. A new connection asks for one each time: a source keeps a token while it holds."""

    @abstractmethod
    async def token(self) -> str:
        """Return a token that holds for a while. Raises TokenUnavailable."""


def token_source(settings: KafkaSettings) -> TokenSource | None:
    """Make the source that the settings ask for; None: the mechanism needs no tokens."""
    return None

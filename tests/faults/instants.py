"""Instants as text, for the checker."""

from datetime import UTC, datetime


def milliseconds(text: str) -> int:
    """Return an RFC 3339 instant in ms, floored."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000


def instant(ms: int) -> str:
    """Return an instant as text with three decimals."""
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1_000:03d}Z"

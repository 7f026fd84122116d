"""Ties of synthetic professionals to invented payers, and what the payers change: of no real person or company."""

from typing import Final

from streams.example.synthetic import Data, cloudevent

MARKET_ACCESS: Final = "/market-access"
TIGHTENED: Final = "tighter-"
"""Begins the ids of the events by which a payer tightens its criteria."""


def payer(number: int) -> str:
    """Return the subject of an invented payer."""
    return f"payer:plan-{number}"


def prescribes(subject: str, organisation: str, t_ms: int) -> Data:
    """Make the event that ties a professional to a payer, within whose plan the professional prescribes."""
    data = {"organisation": organisation, "role": "prescriber"}
    id_ = f"tie-{organisation.partition(':')[2]}-{subject.partition(':')[2]}"
    return cloudevent(id_, MARKET_ACCESS, "affiliation.started", subject, t_ms, data)


def tightened(organisation: str, number: int, t_ms: int) -> Data:
    """Make the event by which a payer tightens its prior-authorisation criteria."""
    data = {"product": "brand-a", "direction": "tighter"}
    return cloudevent(f"{TIGHTENED}{number}", MARKET_ACCESS, "formulary.criteria_changed", organisation, t_ms, data)

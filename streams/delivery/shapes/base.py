"""What a shape is: how a platform wants changes written, and what its answers and limits are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from streams.client import Change
from streams.delivery.answers import Reader
from streams.delivery.window import Limits, Parcel

ACTIVATED = "segue.activated"
DEACTIVATED = "segue.deactivated"


class Shape(Reader, Protocol):
    """One platform's shape. Bytes are a pure function of the changes: a request that is repeated is the same one."""

    @property
    def path(self) -> str:
        """Appended where the address names a host only."""
        ...

    @property
    def limits(self) -> Limits:
        """What one request may hold."""
        ...

    @property
    def requests_per_s_max(self) -> float:
        """The documented rate, of which a process takes no more."""
        ...

    def parts(self, change: Change) -> tuple[bytes, ...]:
        """Write one change: an object for each list of the body."""
        ...

    def body(self, parcels: Sequence[Parcel]) -> bytes:
        """Write a request's body."""
        ...

    def headers(self, parcels: Sequence[Parcel], body: bytes, wall_ms: int) -> Mapping[str, str]:
        """Make a request's headers, the credentials among them; anew for every attempt."""
        ...


def event_name(change: Change) -> str:
    """Name the event that a change is on a platform with people and events."""
    return ACTIVATED if change.activated else DEACTIVATED


def attribute_name(change: Change) -> str:
    """Name the person's attribute that says whether it is active: `segue_<channel>_<activation>`."""
    return f"segue_{change.channel}_{change.activation}"


def event_properties(change: Change) -> dict[str, Any]:
    """List what an event says, flat and without nulls, which such platforms drop or refuse.

    The events behind a reason stay out: what happened to a person is more than a channel has to know.
    """
    content = change.content
    told = {
        "id": change.id,
        "activation": change.activation,
        "activation_version": change.activation_version,
        "channel": change.channel,
        "sequence": change.sequence,
        "reason": change.reason.kind,
        "by": list(change.reason.by) or None,
        "journey": change.journey,
        "arm": change.arm,
        "content_asset": content.asset,
        "content_intent": content.intent,
        "content_depth": content.depth,
        "content_topic": content.topic,
        "content_evidence": content.evidence,
        "content_call_to_action": content.call_to_action,
        "content_claims": list(content.claims) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def at_most(asked: int | None, most: int, usual: int) -> int:
    """Settle the changes of a request: what is asked for, but no more than the platform takes."""
    return usual if asked is None else min(asked, most)


def no_headers_ms(headers: Mapping[str, str], wall_ms: int) -> int | None:
    """Read no waiting time: a platform without headers of its own."""
    return None

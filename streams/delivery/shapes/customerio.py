"""The shape `customerio`: POST /api/v2/batch of Customer.io's Track API.

This module relies on (Customer.io's public documentation and client libraries, as read in November 2026):
- Basic authentication with site id and API key; hosts track.customer.io and track-eu.customer.io.
  docs.customer.io/api/track
- A request is smaller than 500 kB, each item in it 32 kB or smaller; a fair-use limit of 100 requests a second, 429
  beyond. docs.customer.io/api/track (v2, "Send multiple requests"; rate limits)
- Items `{"type": "person", "action": "identify" | "event", "identifiers": {"id": …}, …}`; people by `id`, which is the
  subject here.
- 200 accepts all; 207 names the refused items, `{"errors": [{"batch_index", "reason", "field", "message"}]}`, and
  took the rest; 400 took nothing.
- An event with an `id` that came before is not processed again; it must be a ULID. customerio-ruby, "Deduplicating
  events"

- An item of a person with `"action": "delete"` removes the person and all information; a later update would create the
  person anew. The page names no error for a person who is not known, so a repeated deletion counts as done.
  docs.customer.io/integrations/api/track/tag/track_v2; …/track-customers/delete

The segments API was the alternative. It knows only manual segments with numbers, and has no room for content, arm and
reason. A change is an attribute and an event, as for Braze (see there): identify sets
`segue_<channel>_<activation>` to true or false, the event's ULID is made of the change's instant and id alone, so that
Customer.io itself drops a repeated event. A person who was erased (reason `erased`) gets a deletion, and neither
attribute nor event.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from streams.client import Change
from streams.delivery.answers import indexes
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes.base import (
    at_most,
    attribute_name,
    event_name,
    event_properties,
    kind_of,
    no_headers_ms,
)
from streams.delivery.window import Limits, Parcel

CHANGES_USUAL: Final = 200
CHANGES_MOST: Final = 500
BODY_BYTES_MAX: Final = 499_000
ITEM_BYTES_MAX: Final = 32_000
_ITEMS: Final = 2
"""Items of one change that is no deletion."""
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class CustomerIo:
    """See Shape."""

    path: Final = "/api/v2/batch"
    deletion_path: Final = ""
    requests_per_s_max: Final = 100.0

    def __init__(self, settings: DeliverySettings) -> None:
        key = settings.api_key.get_secret_value()
        if not settings.site_id or not key:
            missing = "SEGUE_DELIVER_API_KEY" if settings.site_id else "SEGUE_DELIVER_SITE_ID"
            raise ValueError(f"{missing} is not set: site id and API key of Customer.io's Track API")
        self._credentials: Final = base64.b64encode(f"{settings.site_id}:{key}".encode()).decode()
        changes_max = at_most(settings.changes_max, CHANGES_MOST, CHANGES_USUAL)
        body_bytes_max = min(settings.body_bytes_max or BODY_BYTES_MAX, BODY_BYTES_MAX)
        self.limits: Final = Limits(changes_max, body_bytes_max, ITEM_BYTES_MAX, 16, changes_max)

    def parts(self, change: Change) -> tuple[bytes, ...]:
        """See Shape: identify and event, or delete."""
        if kind_of(change) == "erased":
            return self.deletion(change.subject)
        person = _person(change.subject)
        identify = {**person, "action": "identify", "attributes": {attribute_name(change): change.activated}}
        effective_ms = int(change.effective_at.timestamp() * 1000)
        event = {
            **person,
            "action": "event",
            "name": event_name(change),
            "id": ulid(effective_ms, change.id),
            "timestamp": effective_ms // 1000,
            "attributes": event_properties(change),
        }
        return orjson.dumps(identify), orjson.dumps(event)

    def deletion(self, subject: str) -> tuple[bytes, ...]:
        """See Shape."""
        return (orjson.dumps({**_person(subject), "action": "delete"}),)

    def body(self, parcels: Sequence[Parcel]) -> bytes:
        """See Shape."""
        return b'{"batch":[' + b",".join(part for parcel in parcels for part in parcel.parts) + b"]}"

    def headers(self, parcels: Sequence[Parcel], body: bytes, wall_ms: int) -> Mapping[str, str]:
        """See Shape."""
        return {"authorization": f"Basic {self._credentials}"}

    def named(self, body: Any, *, deletes: bool = False) -> frozenset[int]:
        """See AnswerFormat."""
        errors = body.get("errors") if isinstance(body, dict) else None
        items = 1 if deletes else _ITEMS
        return frozenset(index // items for index in indexes(errors, lambda error: error.get("batch_index")))

    wait_ms = staticmethod(no_headers_ms)


def _person(subject: str) -> dict[str, Any]:
    return {"type": "person", "identifiers": {"id": subject}}


def ulid(time_ms: int, name: str) -> str:
    """Make a ULID from an instant and a name, always the same one: 48 bits of time, 80 of a digest."""
    digest = hashlib.sha256(name.encode()).digest()[:10]
    number = (max(0, time_ms) & (1 << 48) - 1) << 80 | int.from_bytes(digest)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

"""The shape `standard`: Standard Webhooks, for endpoints of one's own.

```json
{"type":"activation.changes","timestamp":"2026-03-01T14:05:00.012Z","data":{"changes":[…]}}
```
`changes` are the values as published on the channel's topic, byte for byte, oldest first for each profile; `timestamp`
is the latest `effective_at` among them. 2xx accepts all of them; a receiver cannot accept some. After 400 or 422
they are sent again in halves, until the change at fault is alone in its request.

A change with `"reason": {"kind": "erased"}` says that the person was erased: the receiver deletes what it has of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from rules.ground.instants import format_instant
from streams.client import Change
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes.base import at_most, no_headers_ms
from streams.delivery.signing import message_id, read_secret, signed_headers
from streams.delivery.window import Limits, Parcel

TYPE: Final = "activation.changes"
CHANGES_USUAL: Final = 100
CHANGES_MOST: Final = 10_000
BODY_BYTES_MAX: Final = 1_000_000
"""Common servers refuse more than 1 MB unless told otherwise."""

HEAD_BYTES: Final = 128
"""An upper bound of the bytes around the changes."""


class Standard:
    """See Shape."""

    path: Final = ""
    deletion_path: Final = ""
    requests_per_s_max: Final = 1_000.0

    def __init__(self, settings: DeliverySettings) -> None:
        texts = settings.secrets.get_secret_value().replace(",", " ").split()
        if not texts:
            raise ValueError(
                "SEGUE_DELIVER_SECRETS is not set: what requests are signed with (whsec_…; spaces between several)"
            )
        self._secrets: Final = [read_secret(text) for text in texts]
        body_bytes_max = min(settings.body_bytes_max or BODY_BYTES_MAX, 8 * BODY_BYTES_MAX)
        self.limits: Final = Limits(
            at_most(settings.changes_max, CHANGES_MOST, CHANGES_USUAL), body_bytes_max, body_bytes_max, HEAD_BYTES
        )

    def parts(self, change: Change) -> tuple[bytes, ...]:
        """See Shape."""
        return (change.value,)

    def deletion(self, subject: str) -> tuple[bytes, ...]:
        """See Shape: there is no such request."""
        raise AssertionError("an endpoint of one's own hears of erasures as of other changes")

    def body(self, parcels: Sequence[Parcel]) -> bytes:
        """See Shape."""
        head = {"type": TYPE, "timestamp": format_instant(max(parcel.effective_ms for parcel in parcels))}
        changes = b",".join(parcel.parts[0] for parcel in parcels)
        return orjson.dumps(head)[:-1] + b',"data":{"changes":[' + changes + b"]}}"

    def headers(self, parcels: Sequence[Parcel], body: bytes, wall_ms: int) -> Mapping[str, str]:
        """See Shape."""
        return signed_headers(self._secrets, message_id(parcel.id for parcel in parcels), wall_ms // 1000, body)

    def named(self, body: Any, *, deletes: bool = False) -> frozenset[int]:
        """See AnswerFormat: a 2xx accepts all."""
        return frozenset()

    wait_ms = staticmethod(no_headers_ms)

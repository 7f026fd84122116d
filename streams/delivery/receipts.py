"""Receipts of deletions: what a platform answered about people who were erased. See streams/wire/erasures.py.

A receipt is written, and acknowledged, before its changes are settled, like a dead letter. A crash in between: the
deletion is asked for again, and its answer has a second receipt.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

from rules.ground.instants import format_instant
from streams.delivery.answers import Told
from streams.delivery.route import Route
from streams.delivery.window import Parcel
from streams.records import OutRecord
from streams.wire.erasures import DeletionReceipt, erasure_record, names

UNKNOWN: Final = "?"
"""The erasure of a change that names no event."""


class Receipts:
    """Makes the receipts of one route."""

    def __init__(self, route: Route, host: str, asking: str | None = None) -> None:
        """`asking`: the run of `segue deliver --delete` that asks, if one does."""
        self._route: Final = route
        self._host: Final = host
        self._asking: Final = asking

    def accepted(self, parcels: Sequence[Parcel], told: Told, at_ms: int) -> list[OutRecord]:
        """Make the receipts of changes that the platform took."""
        return [record for each in parcels if each.erases for record in self._of(each, "accepted", "", told, at_ms)]

    def refused(self, parcel: Parcel, code: str, told: Told, at_ms: int) -> list[OutRecord]:
        """Make the receipts of a change that the platform refused for good, or that can never be sent."""
        return self._of(parcel, "refused", code, told, at_ms) if parcel.erases else []

    def _of(
        self, parcel: Parcel, outcome: Literal["accepted", "refused"], code: str, told: Told, at_ms: int
    ) -> list[OutRecord]:
        """Make a receipt for each erasure that this change answers: most often one."""
        offsets: defaultdict[str, list[int]] = defaultdict(list)
        for erasure, offset in (*parcel.also, (parcel.erasure, parcel.offset)):
            offsets[erasure or UNKNOWN] += [] if offset < 0 else [offset]
        request_id = None if told.request_id is None or names(told.request_id, parcel.profile) else told.request_id
        return [
            erasure_record(
                self._route.deployment.erasures_topic,
                parcel.partition,
                DeletionReceipt(
                    erasure=erasure,
                    channel=self._route.channel,
                    platform=self._route.delivery.shape,
                    host=self._host,
                    outcome=outcome,
                    code=code,
                    status=told.status,
                    request_id=request_id,
                    persons=told.changes,
                    deleted=told.deleted,
                    at=format_instant(at_ms),
                    partition=parcel.partition,
                    offsets=tuple(some),
                    asking=self._asking,
                ),
            )
            for erasure, some in offsets.items()
        ]

"""Who owns a partition, as an onlooker can tell: by the claims in `segue.owners` and by the consumer group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streams.log.admin import Group
from streams.records import Stored

RING_PREFIX: Final = "segue-"
NAME_DIGITS: Final = 6
"""Of a ring's random name: enough to tell a few hundred workers apart."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The claim of a partition that stands. A worker that is killed leaves its claim until another one claims."""

    name: str
    """The first digits of the random name of the worker's ring of producers; /status of the worker has it, too."""
    epoch: int
    heard_ms: int
    """UTC epoch ms: when it claimed the partition, or last published for it."""


def ring_name(ring: str) -> str:
    """Return a ring's name as people see it."""
    return ring.removeprefix(RING_PREFIX)[:NAME_DIGITS]


def owner_of(claims: Sequence[Stored], published_epoch: int, published_ms: int) -> Owner | None:
    """Return whose claim stands, from the records of one partition in offset order; None: it was handed over in order.

    `published_epoch`, `published_ms`: of the last progress record, -1 where there is none.
    """
    latest = {record.key or b"": record for record in claims}
    standing = [record for record in latest.values() if record.value is not None]
    if not standing:
        return None
    last = max(standing, key=lambda record: record.offset)
    heard_ms = published_ms if published_epoch == last.offset else last.timestamp_ms
    return Owner(ring_name((last.key or b"").decode(errors="replace")), last.offset, heard_ms)


def why_not_owned(group: Group | None, partition: int, owner: Owner | None) -> str:
    """Say why nobody works on a partition; "": somebody does, as far as an onlooker can tell."""
    if group is None:
        return ""
    if not group.members:
        return "no worker runs"
    if not group.stable:
        return "the workers are sharing out the partitions"
    if partition not in group.assigned:
        return "no worker has this partition"
    if owner is None:
        return "its worker has not claimed it, or has stopped it: see /ready of that worker"
    return ""

"""The key grammar of Redis, and the layout of the values. Only this module knows them.

    <prefix>:{<tag>}:meta          hash    generation, token, offset, clock, catalogue, partitions, digest, last, cuts,
                                           active, erased
    <prefix>:{<tag>}:p:<subject>   string  one packed profile (its layout: rules/engine/layout.py)
    <prefix>:{<tag>}:e:<hash>      string  what stays of an erased subject: a packed profile without facts. The hash is
                                           HMAC-SHA256(erasure key, subject), base64url (streams/store/erasure_keys.py)
    <prefix>:{<tag>}:wakes         zset    every subject that has a `p:`; score: its next wake in epoch ms, +inf: none
    <prefix>:{<tag>}:m:<segment>   set     the subjects that are members of the segment

`<tag>` is `<partition>.<salt>`. Redis Cluster hashes only the text in the first braces, so all keys of a partition have
one slot, and one MULTI can write them. The salt is the smallest number that puts the tag into the partition's share of
the slots: partition i of N into [i * 16384 / N, (i + 1) * 16384 / N). Nodes own runs of slots, so the partitions spread
over any number of nodes as evenly as their count allows.

Hash values are decimal text; `cuts` is JSON `[[ordinal, t_ms, catalogue, null, introductions, made, fills],
…]`, a row for each cut (rules/engine/cut.py); an earlier version wrote no `made` and no `fills`, and a subject in
place of null.
`active` is JSON `[offset, [[activation, channel, profiles], …]]`: it counts at that offset. An earlier version wrote
none, and leaves the one that stands; then its offset is another.
`erased` are fingerprints of erasure keys with spaces between: those that named an `e:` of this partition.
Scores are doubles, exact for |ms| <= 2^53. A later wake (after the year 287,396) is +inf, and is read back as FOREVER.
"""

from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

import orjson

from rules.engine.activations.change import ActiveRows
from rules.engine.cut import Cut, Introduced, Made
from rules.ground.instants import FOREVER
from streams.errors import Incident
from streams.store.terms import Meta, Token

SLOTS: Final = 16_384
WAKE_MAX_MS: Final = 1 << 53
"""The latest wake that a double holds exactly. Later wakes are FOREVER."""


def slot(tag: str) -> int:
    """Return the Redis Cluster slot of a hash tag (CRC-16/XMODEM modulo 16,384)."""
    return crc_hqx(tag.encode(), 0) % SLOTS


@lru_cache(maxsize=8192)
def hash_tag(partition: int, partitions: int) -> str:
    """Return the hash tag of a partition, without braces; a pure function of both numbers."""
    if not 0 <= partition < partitions <= SLOTS:
        raise ValueError(f"partition {partition} of {partitions}")
    tags = (f"{partition}.{salt}" for salt in count())
    return next(tag for tag in tags if slot(tag) * partitions // SLOTS == partition)


class Keys:
    """The keys of one partition, as bytes."""

    __slots__ = ("_erased", "_member", "_profile", "meta", "pattern", "wakes")

    def __init__(self, prefix: str, partition: int, partitions: int) -> None:
        root = f"{prefix}:{{{hash_tag(partition, partitions)}}}:".encode()
        self.meta: Final = root + b"meta"
        self.wakes: Final = root + b"wakes"
        self.pattern: Final = root + b"*"
        """For SCAN. Braces, digits, dots and colons mean themselves in Redis's globs."""
        self._profile: Final = root + b"p:"
        self._erased: Final = root + b"e:"
        self._member: Final = root + b"m:"

    def profile(self, subject: str) -> bytes:
        """Return the key of a packed profile."""
        return self._profile + subject.encode()

    def erased(self, name: bytes) -> bytes:
        """Return the key of a packed profile by its hash."""
        return self._erased + name

    def members(self, segment: str) -> bytes:
        """Return the key of a segment's member set."""
        return self._member + segment.encode()


def score(due_ms: int) -> bytes:
    """Return the score of a wake."""
    return b"+inf" if due_ms > WAKE_MAX_MS else b"%d" % due_ms


def due(value: bytes) -> int:
    """Return the wake of a score."""
    number = float(value)
    return FOREVER if number > WAKE_MAX_MS else int(number)


def exact_due(due_ms: int) -> int:
    """Return a wake as the store gives it back."""
    return FOREVER if due_ms > WAKE_MAX_MS else due_ms


def pack_meta(meta: Meta) -> dict[str, str]:
    """Return `meta` as the fields of its hash, but for `erased_by`."""
    # orjson takes no named tuples
    cuts = [
        [
            c.ordinal,
            c.t_ms,
            c.catalogue,
            None,
            *([*map(list, rows)] for rows in (c.introductions, c.made, c.fills)),
        ]
        for c in meta.cuts
    ]
    counted = {} if meta.active is None else {"active": orjson.dumps([meta.offset, [*map(list, meta.active)]]).decode()}
    return {
        "generation": meta.generation,
        "token": str(meta.token),
        "offset": str(meta.offset),
        "clock": str(meta.clock_ms),
        "catalogue": meta.catalogue,
        "partitions": str(meta.partitions),
        "digest": meta.digest,
        "last": str(meta.last_ms),
        "cuts": orjson.dumps(cuts).decode(),
        **counted,
    }


def pack_erased(fingerprints: Sequence[str]) -> dict[str, str]:
    """Return the field of `meta` that says which erasure keys named a profile."""
    return {"erased": " ".join(fingerprints)}


def unpack_meta(fields: Mapping[str, str]) -> Meta:
    """Return `meta` from the fields of its hash. Raises Incident: `pack_meta` did not write them."""
    try:
        return Meta(
            generation=fields["generation"],
            token=Token.parse(fields["token"]),
            offset=int(fields["offset"]),
            clock_ms=int(fields["clock"]),
            catalogue=fields["catalogue"],
            partitions=int(fields["partitions"]),
            digest=fields["digest"],
            last_ms=int(fields["last"]),
            cuts=tuple(_cut(*row) for row in orjson.loads(fields["cuts"])),
            active=_active(int(fields["offset"]), fields.get("active")),
            erased_by=tuple(fields.get("erased", "").split()),
        )
    except (KeyError, ValueError, TypeError) as error:
        what = f"meta of this partition is unreadable ({type(error).__name__})"
        raise Incident(f"{what}: restore a backup or run `segue rebuild`") from None


def _active(offset: int, text: str | None) -> ActiveRows | None:
    """Read the counts of activations; None: there are none at this offset."""
    if text is None:
        return None
    at, rows = orjson.loads(text)
    return tuple((activation, channel, profiles) for activation, channel, profiles in rows) if at == offset else None


def _cut(
    ordinal: int,
    t_ms: int,
    catalogue: str,
    _visited_to: str | None,
    introduced: list[list[Any]],
    made: Sequence[list[Any]] = (),
    fills: Sequence[list[Any]] = (),
) -> Cut:
    """Make a cut of its row."""
    return Cut(
        ordinal,
        t_ms,
        catalogue,
        tuple(Introduced(*one) for one in introduced),
        tuple(_made(*one) for one in made),
        tuple(_made(*one) for one in fills),
    )


def _made(cut: int, t_ms: int, filled: bool, since_ms: int | None, traits: Sequence[str] | None = None) -> Made:
    """Make a cut that was made of its row; an earlier version wrote no `traits`."""
    return Made(cut, t_ms, filled, since_ms, None if traits is None else tuple(traits))

"""Claim a partition: become its one owner, and know up to where its changes are out (design section 5).

Explored by a model checker together with publishing and checkpoints (shared/model/claims.rs; each step here bears
its number there). Nothing may be changed here without running it.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from streams.log.base import Log, Ring
from streams.progress import Progress
from streams.store.base import Meta, PartitionStore, Token

Step = Literal["claimed", "read", "fenced", "reread", "buried", "raised", "loaded"]
"""Where a claim stands: called after each step, and the hook for faults."""
STEPS: Final[tuple[Step, ...]] = ("claimed", "read", "fenced", "reread", "buried", "raised", "loaded")


class LaterClaimant(Exception):
    """Somebody claimed the partition after us (or already fenced us): stop, and ask the group whether it is still ours."""


class Tokens:
    """The tokens of one epoch: `n` only goes up, also across a GAP and for every attempt at step 5 (design section 4)."""

    __slots__ = ("epoch", "n")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.n = 0
        """Of the next token."""

    def next(self) -> Token:
        """Take the next token; never the same twice."""
        token = Token(self.epoch, self.n)
        self.n += 1
        return token


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition is ours. Seek to `meta.offset`, replay silently to `published.offset`, then publish."""

    partition: int
    epoch: int
    meta: Meta
    """As it stood right after step 5; its token is the one to expect."""
    published: Progress
    """Final: nobody else can add to it. `meta.offset` is never beyond its offset."""
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Place:
    """What a claim needs to know of the deployment."""

    generation: str
    partitions: int
    events_topic: str
    owners_topic: str
    progress_topic: str


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is given in: catalogues, waiting, and a place for faults."""

    load_catalogue: Callable[[str], Awaitable[None]]
    """Step 6: have the catalogue of that hash ready ("" is never asked for). Raises Incident: it is nowhere."""
    wait: Callable[[int, str], Awaitable[None]]
    """Back off before attempt n (1, 2, …) at what cannot be reached; the text says what, without personal data."""
    on_step: Callable[[Step], None] = field(default=lambda step: None)
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))


async def claim(partition: int, log: Log, ring: Ring, store: PartitionStore, place: Place, hooks: Hooks) -> Claimed:
    """Claim a partition by steps (1) to (6) of design section 5. Raises LaterClaimant, Fenced, Incident, Doubt.

    While the log or the store cannot be reached it waits (`hooks.wait`) and goes on where it was; cancel it to stop.
    """
    raise NotImplementedError


async def regain(store: PartitionStore, claimed: Claimed, place: Place, hooks: Hooks) -> Meta:
    """After a GAP: read `meta` again, and do step 5 again first where a lower epoch is stored.

    Returns `meta`: seek to its offset, expect its token. `claimed.published` and a transaction in hand stay as they are;
    `published` is the offset up to which changes are out by now. Raises Fenced, Incident.
    """
    raise NotImplementedError


async def hand_over(partition: int, ring: Ring, place: Place) -> None:
    """Write the ring's own tombstone: the end of an orderly hand-over. Raises Doubt (then the successor fences).

    Only after every transaction that touched the partition was answered, and after its last checkpoint was; if one was
    not, never call it.
    """
    raise NotImplementedError

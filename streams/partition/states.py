"""The states of a claim and of a tenure, and every move between them: the tables that the code goes by.

`claim` moves along CLAIM, one step after the other. `PartitionStatus.move` moves along TENURE. A move that a table does
not have is our bug: it raises IllegalMove and changes nothing. The diagrams in docs/architecture.md are drawn from
these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar, get_args

S = TypeVar("S", bound=str)


class IllegalMove(Exception):
    """The table has no such move. Our bug: the worker stops and commits nothing."""


@dataclass(frozen=True, slots=True)
class Table(Generic[S]):
    """The states of one thing and the moves that are allowed between them."""

    first: S
    states: Mapping[S, str]
    """What each state means, in one line."""
    moves: Mapping[tuple[S, S], str]
    """Why each allowed move is made, in one line, by (from, to)."""

    def move(self, before: S, after: S) -> S:
        """Return the state after an allowed move. Raises IllegalMove."""
        if (before, after) not in self.moves:
            raise IllegalMove(f"no move leads from {before!r} to {after!r}")
        return after


ClaimState = Literal["begun", "claimed", "read", "fenced", "reread", "buried", "raised", "loaded"]
Step = Literal["claimed", "read", "fenced", "reread", "buried", "raised", "loaded"]
"""The step of a claim that has just been done."""

CLAIM: Final[Table[ClaimState]] = Table(
    first="begun",
    states={
        "begun": "Nothing is written. A crash leaves nothing behind.",
        "claimed": "The claim is committed. A crash leaves one more claimant, and the next claimant fences it.",
        "read": "The epoch is known: it is the offset of the claim. A crash leaves the same as before.",
        "fenced": "No earlier claimant can publish. After a crash the next claimant fences them again.",
        "reread": "No later claim stands, and the progress is final. After a crash they are fenced again.",
        "buried": "The earlier claims have tombstones. After a crash only this claim is left to fence.",
        "raised": "`meta` bears the epoch: no checkpoint of an earlier owner applies. A crash wastes one epoch.",
        "loaded": "State, progress and input belong together, and the catalogues are loaded. The partition is ours.",
    },
    moves={
        ("begun", "claimed"): "1: commit a claim that names the worker's ring of producers",
        ("claimed", "read"): "2: read the claims to their end; a later claim or a tombstone over ours ends it",
        ("read", "fenced"): "3: fence every producer of every earlier claimant",
        ("fenced", "reread"): "4: read the claims again, as in step 2, and then the last progress",
        ("reread", "buried"): "4: write tombstones over the claims that were fenced, if there are any",
        ("buried", "raised"): "5: write the epoch into `meta`; a higher epoch there ends it",
        ("raised", "loaded"): "6: compare state, progress and input, and load the catalogues",
    },
)
STEPS: Final[tuple[Step, ...]] = get_args(Step)

State = Literal["waiting", "claiming", "replaying", "running", "held", "releasing", "released", "stopped"]

TENURE: Final[Table[State]] = Table(
    first="waiting",
    states={
        "waiting": "The group gave the partition to this worker, and no claim of it is under way.",
        "claiming": "The worker claims the partition, by steps 1 to 6.",
        "replaying": "Records whose changes are published already are applied again, silently.",
        "running": "Records are applied, their changes are published, and the state is written behind.",
        "held": "Too many records were refused: nothing is applied until the log is calm, or `segue resume` says so.",
        "releasing": "What was applied is published and written, and then the partition is handed over.",
        "released": "The worker does not own the partition any more.",
        "stopped": "An incident: nothing is applied until a person has repaired it.",
    },
    moves={
        ("waiting", "claiming"): "a ring of producers is there to claim with",
        ("claiming", "replaying"): "the claim is done; the state is behind the published offset",
        ("claiming", "running"): "the claim is done; the state stands at the published offset",
        ("claiming", "releasing"): "the partition is to be let go",
        ("claiming", "waiting"): "another worker claimed it later, or the ring is over",
        ("claiming", "stopped"): "state, progress and input do not belong together",
        ("replaying", "running"): "the replay has come to the published offset, and the digest is equal",
        ("replaying", "replaying"): "the store went back (GAP): replay from where it stands now",
        ("replaying", "releasing"): "the partition is to be let go",
        ("replaying", "waiting"): "another worker claimed it later, or the ring is over",
        ("replaying", "stopped"): "the digest differs, or the input is not what it was",
        ("running", "replaying"): "the store went back (GAP): replay from where it stands now",
        ("running", "running"): "the store went back (GAP), no further than to the published offset",
        ("running", "releasing"): "the partition is to be let go",
        ("running", "waiting"): "another worker claimed it later, or the ring is over",
        ("running", "stopped"): "the input is not what it must be",
        ("running", "held"): "the share of refused records is over its limit",
        ("held", "running"): "the log is calm again, or a person resumed it; or the store went back (GAP)",
        ("held", "replaying"): "the store went back (GAP): replay from where it stands now",
        ("held", "releasing"): "the partition is to be let go",
        ("held", "waiting"): "another worker claimed it later, or the ring is over",
        ("held", "stopped"): "the input is not what it must be",
        ("releasing", "released"): "what was in hand is finished, or given up",
        ("releasing", "waiting"): "another worker claimed it later, or the ring is over",
        ("releasing", "stopped"): "the input or the store is not what it must be",
        ("stopped", "claiming"): "after a pause: the cause may have been repaired",
    },
)

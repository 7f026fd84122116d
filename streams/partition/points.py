"""Named points on a worker's way, where tests of faults may do harm. A worker that ships does nothing there."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

Point: TypeAlias = Literal[
    "claim",
    "take_up",
    "fetched",
    "step",
    "replay",
    "cut",
    "submitted",
    "published",
    "slice",
    "checkpoint",
    "checkpointed",
    "tick",
    "gap",
    "release",
    "handed_over",
    "held",
    "went_on",
]
"""claim: after each step of a claim; fetched: a batch came; step: a record of a chunk was applied; replay: the same,
silently; cut: a catalogue took effect; submitted: output was given to the publisher; published: its transaction was
answered; slice: state was packed; checkpoint: before the write of one; checkpointed: after it; tick: one was appended;
take_up: the engine stands at `meta` and has read nothing; gap: the store went back; release: the end of a tenure was
asked for; handed_over: its tombstone is written; held: too many
records were refused; went_on: a hold is over. Points within a transaction are the ring's: tests/faults/worker.py."""

OnPoint: TypeAlias = Callable[[Point], None]
"""Is called when a worker comes to a point."""


def unobserved(point: Point) -> None:
    """Do nothing."""


UNOBSERVED: Final[OnPoint] = unobserved

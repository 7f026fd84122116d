"""Named points of a worker's way, where tests of faults may do harm. Nothing happens there otherwise."""

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
]
"""claim: between its steps; fetched: a batch came; step: after a record, within a chunk; replay: the same, silently;
submitted: output given to the publisher; published: its transaction was answered; slice: state packed;
checkpoint(ed): before and after its write; tick: appended; take_up: the engine stands at `meta`, nothing read yet.
With an open transaction and after its deliveries are points of the ring of producers."""

OnPoint: TypeAlias = Callable[[Point], None]
"""What is called as a worker comes to a point."""


def unobserved(point: Point) -> None:
    """Do nothing."""


UNOBSERVED: Final[OnPoint] = unobserved

"""The steps of an apply after its transaction, in order.

A step is an async function of the Situation, in a module of its own. The catalogue is in
force by then: a step that cannot go on raises an OperationError that says so and names the command that continues. A
new step is a row of STEPS.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from streams.operations.applying.situation import Situation


@dataclass(frozen=True, slots=True)
class StepDone:
    """What a step did. `said`: lines for people; `as_json`: for programs, under the step's name."""

    name: str
    said: tuple[str, ...] = ()
    as_json: Mapping[str, Any] = field(default_factory=dict)


Step: TypeAlias = Callable[[Situation], Awaitable[StepDone]]

STEPS: Final[tuple[Step, ...]] = ()


async def run_steps(situation: Situation) -> tuple[StepDone, ...]:
    """Take every step in order. Raises what a step raises."""
    return tuple([await step(situation) for step in STEPS])

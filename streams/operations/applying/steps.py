"""The steps of an apply after its transaction, in order.

A step is an async function of the Situation, in a module of its own. The catalogue is in
force by then: a step that cannot go on raises an OperationError that says so and names the command that continues. A
new step is a row of STEPS.
"""

from typing import Final

from streams.operations.applying import filling
from streams.operations.applying.situation import Situation
from streams.operations.applying.step import Step, StepDone

STEPS: Final[tuple[Step, ...]] = (filling.step,)


async def run_steps(situation: Situation) -> tuple[StepDone, ...]:
    """Take every step in order. Raises what a step raises."""
    return tuple([await step(situation) for step in STEPS])

"""The checks of an apply, in order. Each is asked before anything is written.

A check is an async function of the Situation, in a module of its own. It returns Warnings, which are told and stop
nothing, or raises an OperationError of its own type, which ends the apply: nothing was written then, and no topic was
created. A new check is a row of CHECKS. The cheap ones and the ones that refuse come first.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from streams.operations.applying import approved, over, previewed, stays, versions, without_history
from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning

Check: TypeAlias = Callable[[Situation], Awaitable[Sequence[ApplyWarning]]]


class Row(NamedTuple):
    """One check, by name. The name is for readers of this table."""

    name: str
    check: Check


CHECKS: Final[tuple[Row, ...]] = (
    Row("what is in force", over.check),
    Row("preview", previewed.check),
    Row("versions", versions.check),
    Row("approved", approved.check),
    Row("without history", without_history.check),
    Row("stays", stays.check),
)


async def run_checks(situation: Situation) -> tuple[ApplyWarning, ...]:
    """Ask every check in order; return all warnings. Raises what a check raises."""
    found: list[ApplyWarning] = []
    for row in CHECKS:
        found += await row.check(situation)
    return tuple(found)

"""The check that says what begins without the history that it looks at."""

from collections.abc import Sequence

from rules.reports.beginnings import beginnings
from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning

KIND = "without_history"


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Warn of each condition that begins without history. Refuses nothing."""
    found = beginnings(situation.old, situation.catalogue, situation.applied.at_ms)
    return [ApplyWarning(KIND, said) for said in found]

"""The check that the catalogue in force is still the one that this apply was meant to follow."""

from collections.abc import Sequence

from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import OtherInForce


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Refuse where another catalogue came into force meanwhile. Raises OtherInForce."""
    found = None if situation.in_force is None else situation.in_force.hash
    expected = situation.options.over
    if expected is not None and found != expected:
        raise OtherInForce(expected, found)
    return ()

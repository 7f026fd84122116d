"""The check that says which conditions look at history, since when the log can tell, and what begins without it."""

from collections.abc import Sequence

from rules.engine.wanted import Wanted, wanted_history
from rules.ground.instants import format_instant
from rules.reports.beginnings import Filling, beginnings
from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.fill import log_since

KIND = "without_history"
NAMED_MAX = 3
"""So many conditions are named; the others are counted."""


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Say what looks back, and warn of each condition that begins without history. Refuses nothing."""
    options, at_ms = situation.options, situation.applied.at_ms
    filling = None
    if options.fill:
        wanted = wanted_history(situation.old, situation.catalogue, at_ms)
        filling = Filling(None)
        if wanted:
            log = await log_since(situation.servers)
            filling = Filling(log.dropped_ms)
            if log.first_ms is not None:
                options.on_say(f"history: {_looking_back(wanted)}; the log tells since {format_instant(log.first_ms)}")
    found = beginnings(situation.old, situation.catalogue, at_ms, filling)
    return [ApplyWarning(KIND, said) for said in found]


def _looking_back(wanted: Wanted) -> str:
    """Name what looks back."""
    if wanted.everything:
        return "this is the first catalogue, and takes in all that happened before it"
    named = list(dict.fromkeys(f"{each.segment} ({each.text})" for each in wanted.conditions))
    said = [*named[:NAMED_MAX], *([f"{len(named) - NAMED_MAX} more"] if len(named) > NAMED_MAX else [])]
    said += [f"the new trait {trait}" for trait in wanted.traits[:NAMED_MAX]]
    return f"{', '.join(said)} look{'s' if len(said) == 1 else ''} at what happened before now"

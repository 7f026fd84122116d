"""Which events of the past a new catalogue may look at, that the catalogues before it did not keep."""

from collections.abc import Iterable

from rules.catalogue.catalogue import Catalogue
from rules.engine.plan import make_plan


def wanted_types(new: Iterable[Catalogue], known: Iterable[Catalogue]) -> frozenset[str]:
    """Return the types of events that a condition or a cap of `new` may need from before a cut.

    `known`: all catalogues that may be in force before the cut. A memory that each of them keeps needs nothing.
    """
    kept: set[str] | None = None
    for catalogue in known:
        keys = {key for key, memory in make_plan(catalogue).states.items() if not memory.shares_text}
        kept = keys if kept is None else kept & keys
    found: set[str] = set()
    for catalogue in new:
        for key, memory in make_plan(catalogue).states.items():
            if key in (kept or ()):
                continue
            found |= set(memory.types)
            events = catalogue.dictionary.events.items()
            found |= {name for name, event in events if any(trait in memory.traits for trait in event.sets)}
    return frozenset(found)

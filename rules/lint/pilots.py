"""Lint of pilots: markets that a pilot governs, and that its own definition does not admit."""

from collections.abc import Iterator

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilot import PILOT
from rules.catalogue.segment import Segment
from rules.lint.suspicions import Suspicion


def check_pilots(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find pilots whose version admits nobody, or not everybody, of the markets that it governs."""
    for _, segment in sorted(catalogue.segments.items()):
        yield from _outside(segment, "be a member")
    for _, activation in sorted(catalogue.activations.items()):
        yield from _outside(activation, "be contacted")


def _outside(each: Segment | Activation, what: str) -> Iterator[Suspicion]:
    if each.status == "retired" or each.pilot is None or each.pilot.markets is None or not each.markets:
        return
    outside = sorted(each.pilot.markets - set(each.markets))
    if outside:
        markets = "market" if len(outside) == 1 else "markets"
        message = (
            f"the pilot governs {markets} {', '.join(outside)}, which 'markets' of this version does not have: nobody"
            f" there can {what} while the pilot runs"
        )
        yield Suspicion(each.raw, (PILOT, "markets"), "pilot-outside", message)

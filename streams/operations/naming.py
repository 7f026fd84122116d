"""What a name stands for in the catalogue in force: a segment, an activation, or both."""

from collections.abc import Iterable
from dataclasses import dataclass

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.language.validation import nearest
from streams.operations.errors import UnknownName


@dataclass(frozen=True, slots=True)
class NamedDefinitions:
    """What is in force under a name; at least one of the two."""

    segment: Segment | None
    activation: Activation | None


def resolve(catalogue: Catalogue, name: str) -> NamedDefinitions:
    """Return what is in force under a name. Raises UnknownName, which says the nearest name."""
    activation = catalogue.activations.get(name)
    if activation is not None and activation.status != "approved":
        activation = None
    found = NamedDefinitions(catalogue.approved.get(name), activation)
    if found.segment is None and found.activation is None:
        raise UnknownName(name, _missing(catalogue, name))
    return found


def channels_of(catalogue: Catalogue) -> list[str]:
    """Return the channels that approved activations use, sorted."""
    return sorted({each.channel for each in catalogue.approved_activations.values()})


def unknown_channel(channel: str, known: Iterable[str]) -> UnknownName:
    """Return the error for a channel that no activation in force has; it says the nearest of the known ones."""
    what = f"no activation of the catalogue in force has the channel {channel!r}{nearest(channel, known)}"
    return UnknownName(channel, what)


def _missing(catalogue: Catalogue, name: str) -> str:
    segment, activation = catalogue.segments.get(name), catalogue.activations.get(name)
    if segment is not None:
        return f"segment {name!r} is {segment.status.replace('_', ' ')}: only approved ones have members"
    if activation is not None:
        return f"activation {name!r} is {activation.status.replace('_', ' ')}: only approved ones are decided"
    known = {*catalogue.approved, *catalogue.approved_activations}
    return f"the catalogue in force has no segment and no activation {name!r}{nearest(name, known)}"

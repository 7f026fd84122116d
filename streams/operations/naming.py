"""What a name on the command line stands for: a segment, an activation, or both."""

from dataclasses import dataclass

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.language.validation import nearest
from streams.operations.errors import WrongInput


@dataclass(frozen=True, slots=True)
class Named:
    """What is in force under a name; at least one is there."""

    segment: Segment | None
    activation: Activation | None


def resolve(catalogue: Catalogue, name: str) -> Named:
    """Find what is in force under a name. Ends the command where nothing is, with the nearest name."""
    activation = catalogue.activations.get(name)
    if activation is not None and activation.status != "approved":
        activation = None
    found = Named(catalogue.approved.get(name), activation)
    if found.segment is None and found.activation is None:
        raise WrongInput(_missing(catalogue, name))
    return found


def channels_of(catalogue: Catalogue) -> list[str]:
    """List the channels that approved activations use."""
    return sorted({each.channel for each in catalogue.activations.values() if each.status == "approved"})


def _missing(catalogue: Catalogue, name: str) -> str:
    segment, activation = catalogue.segments.get(name), catalogue.activations.get(name)
    if segment is not None:
        return f"segment {name!r} is {segment.status.replace('_', ' ')}: only approved ones have members"
    if activation is not None:
        return f"activation {name!r} is {activation.status.replace('_', ' ')}: only approved ones are decided"
    known = {*catalogue.approved, *(each.id for each in catalogue.activations.values() if each.status == "approved")}
    return f"the catalogue in force has no segment and no activation {name!r}{nearest(name, known)}"

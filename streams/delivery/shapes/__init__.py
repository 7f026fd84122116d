"""The shapes in which platforms take changes: one module each, a row in the table for each."""

from collections.abc import Callable, Mapping
from typing import Final

from streams.delivery.settings import DeliverySettings, ShapeName
from streams.delivery.shapes.base import Shape
from streams.delivery.shapes.braze import Braze
from streams.delivery.shapes.customerio import CustomerIo
from streams.delivery.shapes.standard import Standard

SHAPES: Final[Mapping[ShapeName, Callable[[DeliverySettings], Shape]]] = {
    "standard": Standard,
    "braze": Braze,
    "customerio": CustomerIo,
}


def shape_of(settings: DeliverySettings) -> Shape:
    """Make the shape that the settings name. Raises ValueError: which credentials it wants."""
    return SHAPES[settings.shape](settings)


__all__ = ["SHAPES", "Shape", "shape_of"]

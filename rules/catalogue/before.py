"""The version before a pilot: where it stands in a catalogue, and where it comes from.

A catalogue is a value with all that it needs. So the version that goes on governing the subjects outside a pilot stands
in it as a file of its own, `before/segments/ID.yaml` or `before/activations/ID.yaml`, under its hash. `with_before`
takes it from the catalogue in force: what is in force there without being a pilot, else the version before that pilot.
So it is always the last definition that governed everybody, however often a pilot is changed or replaced.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

from rules.catalogue.pilot import PILOT, Pilot
from rules.language.problems import DefinitionReader

FOLDERS: Final[Mapping[str, str]] = {"segment": "before/segments", "activation": "before/activations"}
"""By kind of definition: the folder of the versions before."""


class Definition(Protocol):
    """What a segment and an activation have in common."""

    @property
    def status(self) -> str:
        """`draft`, `in_review`, `approved` or `retired`."""
        ...

    @property
    def pilot(self) -> Pilot | None:
        """The subjects that it governs; None: all of them."""
        ...

    @property
    def raw(self) -> dict[str, Any]:
        """The YAML mapping."""
        ...


D = TypeVar("D", bound=Definition)


def is_before(reader: DefinitionReader, what: str, now: Definition | None) -> bool:
    """Tell whether a file of `before/` belongs to a pilot; record what is wrong otherwise.

    `now`: the definition of that id in the catalogue itself; None: there is none.
    """
    before = len(reader.problems)
    if now is None or now.status != "approved" or now.pilot is None:
        reader.problem(f"{what} is no approved pilot in this catalogue; remove this file")
    if PILOT in reader.value:
        reader.down(PILOT).problem("the version before governs all other subjects; remove 'pilot'")
    if reader.value["status"] != "approved":
        reader.down("status").problem("the version before must be approved")
    return len(reader.problems) == before


def lacking(
    now: Mapping[str, D], before: Mapping[str, D], in_force: Mapping[str, D], in_force_before: Mapping[str, D]
) -> Iterator[tuple[str, D]]:
    """Yield the versions before that a catalogue's pilots lack, by id, out of what is in force."""
    for name, each in now.items():
        if each.pilot is None or each.status != "approved" or name in before:
            continue
        old = in_force.get(name)
        if old is None or old.status != "approved":
            continue
        found = old if old.pilot is None else in_force_before.get(name)
        if found is not None:
            yield name, found

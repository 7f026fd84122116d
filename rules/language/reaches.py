"""`reaches` at an event of the dictionary: what an organisation's event tells to who is tied to it (docs/language.md).

Who is told gets an event of another type, with the same data and the organisation added. So that type must be able to
take every value: this is checked when the dictionary is read, and never asked again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import Field

from rules.ground.values import may_be_both
from rules.language.problems import DefinitionReader
from rules.language.validation import Items, Name, Strict

if TYPE_CHECKING:
    from rules.language.dictionary import Attribute, EventDeclaration

ORGANISATION: Final = "organisation"
"""The path that is added to the data."""


@dataclass(frozen=True, slots=True)
class Reaches:
    """Who is told, and as what: those tied in one of `roles`, as an event of type `told_as`."""

    roles: tuple[str, ...]
    told_as: str


class ReachesModel(Strict):
    """`reaches: {roles: [prescriber], as: plan.formulary_changed}`."""

    roles: Items[Name] = Field(min_length=1)
    told_as: Name = Field(alias="as")

    def read(self) -> Reaches:
        """Make the value of it."""
        return Reaches(self.roles, self.told_as)


def check_reaches(
    reader: DefinitionReader,
    name: str,
    events: Mapping[str, "EventDeclaration"],
    built_in: Mapping[str, object],
    traits: Mapping[str, "Attribute"],
) -> None:
    """Check the `reaches` of an event, if it has one. `reader` stands at the event; `events`: those of the file."""
    reaches = events[name].reaches
    if reaches is None:
        return
    here, told_as = reader.down("reaches"), reaches.told_as
    if name in built_in:
        here.problem(f"{name} is built in: let an event of your own say reaches")
    if ORGANISATION in events[name].data:
        reader.down("data", ORGANISATION).problem(
            f"{ORGANISATION!r} is added to what {name} tells; give this one another name"
        )
    for index, role in enumerate(reaches.roles):
        if role in reaches.roles[:index]:
            here.down("roles", index).problem(f"role {role!r} is named twice")
    type_ = here.down("as")
    if told_as in built_in:
        type_.problem(f"{told_as} is built in: name an event that this dictionary declares")
    elif told_as not in events:
        type_.problem(f"unknown event {told_as!r}", name=told_as, known=events)
    elif events[told_as].reaches is not None:
        type_.problem(f"{told_as} says reaches itself: what is told is told no further")
    else:
        for path in _unfit(events[name], events[told_as], traits):
            type_.problem(f"{told_as} cannot take the data of {name}: {path}")


def _unfit(event: "EventDeclaration", told: "EventDeclaration", traits: Mapping[str, "Attribute"]) -> list[str]:
    """Say of each path of the event that is told what does not fit."""
    found = []
    named = told.data.get(ORGANISATION)
    if named is None or named.type != "string":
        found.append(f"it must declare {ORGANISATION!r} as a string")
    for path, attribute in told.data.items():
        if path == ORGANISATION:
            continue
        given = event.data.get(path)
        if given is None:
            found.append(f"{path!r} is no data of the first")
        elif given.type != attribute.type:
            found.append(f"{path!r} is of type {attribute.type} there, and of type {given.type} here")
    for trait, path in told.sets.items():
        if path in told.data or trait not in traits:
            continue
        given = event.data.get(path)
        if given is None:
            found.append(f"{path!r}, which sets trait {trait!r}, is no data of the first")
        elif not may_be_both(given.type, traits[trait].type):
            found.append(f"{path!r} is of type {given.type}, and sets trait {trait!r} of type {traits[trait].type}")
    return found

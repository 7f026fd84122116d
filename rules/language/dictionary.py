"""The dictionary: which traits and events there are, and of what types (docs/language.md, Dictionary and events).

`type` is required, everything else is documentation that lint asks for. Some events are built in; a catalogue may
declare them again with more data, but not with another type for what is built in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field

from rules.ground.values import ValueType, may_be_both
from rules.language.problems import DefinitionReader
from rules.language.reaches import Reaches, ReachesModel, check_reaches
from rules.language.validation import Duration, Maybe, Name, Strict

OWN_PREFIX: Final = "segue."
"""Types of records without an event, reserved for the owner of the topic."""
GRANTED: Final = "consent.granted"
WITHDRAWN: Final = "consent.withdrawn"
SENT: Final = "message.sent"
REPLIED: Final = "message.replied"
LINKED: Final = "identity.linked"
UNLINKED: Final = "identity.unlinked"
ERASED: Final = "privacy.erased"
STARTED: Final = "affiliation.started"
ENDED: Final = "affiliation.ended"
NO_FACTS: Final = frozenset({LINKED, UNLINKED, ERASED})
"""Types of events that are no facts: no rule may name them, no trait is set by them, nothing counts them."""

EVIDENCE: Final = "evidence"
"""What a grant's data may have besides: a reference for people, which no rule may look at. It is not read at all."""

_STRING: Final[ValueType] = "string"
BUILT_IN: Final[Mapping[str, Mapping[str, ValueType]]] = {
    GRANTED: {"channel": _STRING, "purpose": _STRING, "until": "datetime"},
    WITHDRAWN: dict.fromkeys(("channel", "purpose"), _STRING),
    SENT: dict.fromkeys(("channel", "journey", "intent", "activation"), _STRING),
    REPLIED: dict.fromkeys(("channel", "text"), _STRING),
    LINKED: {"canonical": _STRING},
    UNLINKED: {},
    ERASED: {"request": _STRING},
    STARTED: dict.fromkeys(("organisation", "role"), _STRING),
    ENDED: dict.fromkeys(("organisation", "role"), _STRING),
}
"""The events that every dictionary has, and the types of their attributes."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared trait, or a declared path into an event's data."""

    type: ValueType
    definition: str | None = None
    source: str | None = None
    refresh_ms: int | None = None
    """How old the source lets it become."""
    examples: tuple[Any, ...] = ()
    """As written; lint compares them with the type."""
    restricted: str | None = None
    """Class of policy.yaml's restrictions."""


TraitDeclaration = Attribute


@dataclass(frozen=True, slots=True)
class EventDeclaration:
    """A declared event type. `data` by dotted path; `sets`: trait → dotted path, declared in `data` or not."""

    data: Mapping[str, Attribute] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    definition: str | None = None
    source: str | None = None
    restricted: str | None = None
    reaches: Reaches | None = None
    """Who is told, if it is told of an organisation; None: nobody else."""
    built_in: bool = False
    """Whether only Segue declares it: nothing in the file does."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All traits and events that rules may name, the built-in events among them."""

    traits: Mapping[str, TraitDeclaration]
    events: Mapping[str, EventDeclaration]
    plans: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Memo of `rules.engine.decode`: how the values of an event type are taken out of its data."""

    @property
    def reaching(self) -> dict[str, Reaches]:
        """The types that reach who is tied to an organisation."""
        return {name: event.reaches for name, event in self.events.items() if event.reaches is not None}


def read_dictionary(reader: DefinitionReader) -> Dictionary | None:
    """Read `dictionary.yaml`; None if anything is wrong, every problem recorded at its place."""
    model = reader.model(_Dictionary)
    if model is None:
        return None
    before = len(reader.problems)
    traits = {name: _attribute(trait) for name, trait in model.traits.items()}
    events = {name: _event(event) for name, event in model.events.items()}
    for name, event in events.items():
        _check_event(reader.down("events", name), name, event, traits)
        check_reaches(reader.down("events", name), name, events, BUILT_IN, traits)
    if len(reader.problems) > before:
        return None
    return Dictionary(traits, {name: _with_built_in(name, events.get(name)) for name in {**BUILT_IN, **events}})


T = TypeVar("T")
_NoneIsEmpty: Final = BeforeValidator(lambda value: {} if value is None else value)
_Mapping = Annotated[dict[Name, T], _NoneIsEmpty]
"""A mapping by name; nothing written after the colon is an empty one."""


class _Attribute(Strict):
    type: ValueType
    definition: Maybe[str] = None
    source: Maybe[str] = None
    refresh: Maybe[Duration] = None
    examples: Maybe[list[Any]] = None
    restricted: Maybe[Name] = None


class _Event(Strict):
    data: _Mapping[_Attribute] = Field(default_factory=dict)
    sets: _Mapping[Name] = Field(default_factory=dict)
    definition: Maybe[str] = None
    source: Maybe[str] = None
    refresh: Maybe[Duration] = None
    examples: Maybe[list[Any]] = None
    restricted: Maybe[Name] = None
    reaches: Maybe[ReachesModel] = None


class _Dictionary(Strict):
    traits: _Mapping[_Attribute] = Field(default_factory=dict)
    events: _Mapping[Annotated[_Event, _NoneIsEmpty]] = Field(default_factory=dict)
    author: Maybe[Name] = None


def _attribute(model: _Attribute) -> Attribute:
    return Attribute(
        model.type, model.definition, model.source, model.refresh, tuple(model.examples or ()), model.restricted
    )


def _event(model: _Event) -> EventDeclaration:
    data = {path: _attribute(attribute) for path, attribute in model.data.items()}
    reaches = None if model.reaches is None else model.reaches.read()
    return EventDeclaration(data, dict(model.sets), model.definition, model.source, model.restricted, reaches)


def _check_event(
    reader: DefinitionReader, name: str, event: EventDeclaration, traits: Mapping[str, TraitDeclaration]
) -> None:
    if name.startswith(OWN_PREFIX):
        reader.problem(f"event {name!r}: types {OWN_PREFIX}* are reserved for Segue's own records")
    for path, attribute in event.data.items():
        wanted = BUILT_IN.get(name, {}).get(path, attribute.type)
        if attribute.type != wanted:
            said = f"{path!r} of {name} is built in as a {wanted}, not {attribute.type}"
            reader.down("data", path).problem(said)
        inside = next((outer for outer in event.data if path.startswith(outer + ".")), None)
        if inside is not None:
            reader.down("data", path).problem(
                f"{path!r} lies inside {inside!r}, which is declared as a {event.data[inside].type}, no object"
            )
    for trait, path in event.sets.items():
        here = reader.down("sets", trait)
        if trait not in traits:
            here.problem(f"unknown trait {trait!r}", name=trait, known=traits)
            continue
        kind = event.data[path].type if path in event.data else BUILT_IN.get(name, {}).get(path)
        if kind is not None and not may_be_both(kind, traits[trait].type):
            here.problem(f"trait {trait!r} is a {traits[trait].type}, but {path!r} of {name} is a {kind}")


def _with_built_in(name: str, event: EventDeclaration | None) -> EventDeclaration:
    """Merge what is built in under what the catalogue declares."""
    built_in = {path: Attribute(kind) for path, kind in BUILT_IN.get(name, {}).items()}
    if event is None:
        return EventDeclaration(built_in, built_in=True)
    return replace(event, data={**built_in, **event.data})

"""A segment: a definition of who belongs (docs/language.md, Segments), read from one file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PlainValidator

from rules.catalogue.logic import read_rule
from rules.catalogue.mentions import mentions
from rules.catalogue.pilot import Pilot, PilotText
from rules.conditions.base import Node
from rules.conditions.context import RuleContext
from rules.conditions.mention import Mention
from rules.ground.instants import FOREVER, parse_duration
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader
from rules.language.templates import FOR_EACH
from rules.language.validation import Duration, Id, Items, Maybe, Name, Strict, matching

Status = Literal["draft", "in_review", "approved", "retired"]
SubjectKind = Annotated[
    str,
    matching(
        r"^[^:|\x00-\x1f\x7f-\x9f]+$", "must be the kind of a subject: a text without : and | and control characters"
    ),
]
"""The kind of a subject: what stands before its first colon."""
RULES: Final = ("enter", "exit")


class Layers(Strict):
    """The audience, the use case and the stage; only `audience` decides anything."""

    audience: Maybe[SubjectKind] = None
    use_case: Maybe[Name] = None
    stage: Maybe[Name] = None


class Owner(Strict):
    """Who answers for a definition."""

    team: Maybe[str] = None
    compliance: Maybe[str] = None


def _reenter_after(value: Any) -> int:
    if value == "never":
        return FOREVER
    if not isinstance(value, str):
        raise ValueError("must be a duration like 14d, or never")  # noqa: TRY004 - pydantic wants a ValueError
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}; or never") from error


class _Definition(Strict):
    """The file as written; rules are compiled apart, because they need the dictionary."""

    segment: Id
    version: Annotated[int, Field(ge=0)]
    status: Status
    enter: Any
    title: Maybe[str] = None
    decision: Maybe[str] = None
    layers: Maybe[Layers] = None
    parent: Maybe[Id] = None
    markets: Maybe[Annotated[Items[Name], Field(min_length=1)]] = None
    owner: Maybe[Owner] = None
    exit: Any = None
    min_stay: Maybe[Duration] = None
    max_stay: Maybe[Duration] = None
    reenter_after: Maybe[Annotated[int, PlainValidator(_reenter_after)]] = None
    pilot: Maybe[PilotText] = None
    description: Maybe[str] = None
    tags: Maybe[Items[str]] = None
    author: Maybe[Name] = None


WRITABLE: Final = (*_Definition.model_fields, FOR_EACH)
"""The keys of a file; a template's own is gone when the definition is read."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A compiled segment. Durations in ms; what is not given is None or empty."""

    id: str
    version: int
    status: Status
    title: str | None
    decision: str | None
    layers: Layers
    parent: str | None
    markets: tuple[str, ...]
    owner: Owner
    enter: Node
    exit: Node | None
    min_stay_ms: int | None
    max_stay_ms: int | None
    reenter_after_ms: int | None
    """FOREVER: never again."""
    pilot: Pilot | None
    """The subjects that it governs; None: all of them."""
    description: str | None
    tags: tuple[str, ...]
    raw: dict[str, Any]
    """The YAML mapping: two catalogues' rules are compared by it."""

    @property
    def forgets(self) -> bool:
        """Tell whether re-entry asks for new evidence: it has `exit` or `max_stay`."""
        return self.exit is not None or self.max_stay_ms is not None


def read_segment(reader: DefinitionReader, dictionary: Dictionary | None) -> Segment | None:
    """Read one segment file; None if anything is wrong, every problem recorded at its place.

    Without a dictionary (it was wrong itself) only what needs none is checked. The catalogue
    checks references to other segments.
    """
    definition = reader.model(_Definition, WRITABLE)
    if dictionary is None:
        return None
    enter, exit_ = (_rule(reader, rule, dictionary) for rule in RULES)
    if definition is None or enter is None or (exit_ is None and "exit" in reader.value):
        return None
    return Segment(
        id=definition.segment,
        version=definition.version,
        status=definition.status,
        title=definition.title,
        decision=definition.decision,
        layers=definition.layers or Layers(),
        parent=definition.parent,
        markets=definition.markets or (),
        owner=definition.owner or Owner(),
        enter=enter,
        exit=exit_,
        min_stay_ms=definition.min_stay,
        max_stay_ms=definition.max_stay,
        reenter_after_ms=definition.reenter_after,
        pilot=Pilot.of(definition.pilot),
        description=definition.description,
        tags=definition.tags or (),
        raw=reader.value,
    )


def _rule(reader: DefinitionReader, rule: Literal["enter", "exit"], dictionary: Dictionary) -> Node | None:
    """Compile `enter` or `exit`, also where other keys of the file are wrong."""
    raw = reader.value
    if not isinstance(raw, dict) or rule not in raw:
        return None
    name = raw.get("segment")
    forgets = "exit" in raw or "max_stay" in raw
    context = RuleContext(
        dictionary=dictionary, rule=rule, segment=name if isinstance(name, str) else "", forgets=forgets
    )
    return read_rule(reader.down(rule), context)


def references(raw: Any) -> Iterator[Mention]:
    """Find what a segment file names: its parent and all that its rules mention, in document order of the rules."""
    if not isinstance(raw, dict):
        return
    if isinstance(raw.get("parent"), str):
        yield Mention("segment", raw["parent"], ("parent",))
    for rule in RULES:
        yield from mentions(raw.get(rule), (rule,))


@dataclass(frozen=True, slots=True)
class KnownSegments:
    """The segments that a catalogue's files define, for checking references to them."""

    segments: Mapping[str, Segment | None]
    """None: the segment's own file is wrong."""
    complete: bool
    """Whether every segment file gave its id, so that any other id is unknown."""

    def check(self, reader: DefinitionReader, segment: str, by: str, status: Any) -> None:
        """Check one reference: the segment exists, and it is approved if the referring definition is."""
        if segment not in self.segments:
            if self.complete:
                reader.problem(f"unknown segment {segment!r}", name=segment, known=self.segments)
            return
        found = self.segments[segment]
        if status == "approved" and found is not None and found.status != "approved":
            what = "refer to another one" if found.status == "retired" else "approve that one too"
            said = f"segment {segment!r}, to which it refers, is {found.status.replace('_', ' ')}"
            reader.problem(f"{by} is approved, but {said}: {what}, or give this one that status")

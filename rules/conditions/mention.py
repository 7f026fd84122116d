"""What a condition names: segments, traits, event types and fields of their data, each with its path in the file.

Read off the raw definition, not the compiled condition: references are checked and restricted data is traced also while
other parts of a rule are wrong. What is malformed is passed over; the compiler tells its problem.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rules.language.dictionary import Dictionary
from rules.language.validation import Path


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing that a rule names: `field` is a dotted path into the data of event type `name`."""

    kind: Literal["segment", "trait", "event", "field"]
    name: str
    path: Path
    field: str = ""

    def restricted(self, dictionary: Dictionary) -> str | None:
        """Return the class by which the dictionary restricts it; None also for what is not declared."""
        if self.kind == "trait":
            trait = dictionary.traits.get(self.name)
            return trait.restricted if trait else None
        event = dictionary.events.get(self.name)
        if event is None or self.kind == "segment":
            return None
        if self.kind == "event":
            return event.restricted
        declared = event.data.get(self.field)
        return declared.restricted if declared else None


WalkRule: TypeAlias = Callable[[Any, Path], Iterator[Mention]]
"""Walks a raw rule that stands at a path, as `rules.catalogue.mentions.mentions`: for kinds with rules inside them."""
Mentions: TypeAlias = Callable[[Mapping[str, Any], Path, WalkRule], Iterator[Mention]]
"""Walks a raw condition that stands at a path, and the rules inside it with the function handed over."""


def no_mentions(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
    """Name nothing."""
    return iter(())


def mentions_trait(key: str) -> Mentions:
    """Make the walk over a condition that names one trait, under a key."""

    def walk(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
        if isinstance(raw.get(key), str):
            yield Mention("trait", raw[key], (*path, key))

    return walk


def mentions_events(key: str, fields: Iterable[str] = ()) -> Mentions:
    """Make the walk over a condition that names event types under `key` and paths into their data under `fields`.

    The attributes under `where` and `is` are fields as well.
    """
    fields = tuple(fields)

    def walk(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
        return walk_events(raw, path, key, fields)

    return walk


def walk_events(raw: Mapping[str, Any], path: Path, key: str, fields: Iterable[str] = ()) -> Iterator[Mention]:
    """Walk the event types under `key`, and the fields that are looked at in each of them."""
    found = [(name, (*path, tests, name)) for tests in ("where", "is") for name in as_mapping(raw.get(tests))]
    found += [(raw[field], (*path, field)) for field in fields if isinstance(raw.get(field), str)]
    for name in as_names(raw.get(key)):
        yield Mention("event", name, (*path, key))
        for field, place in found:
            yield Mention("field", name, place, field)


def as_names(value: Any) -> list[str]:
    """Return the texts of one text or a list of them."""
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def as_mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}

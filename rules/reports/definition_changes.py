"""What the definitions of two catalogues say differently, in words: which condition came, went, or changed.

`rules.catalogue.differences` says what a difference does at a cut. Here is what somebody wrote differently, so a person
can review it: definitions of every status, and every key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import Difference, differences
from rules.catalogue.segment import RULES, Segment
from rules.language.problems import canonical_json
from rules.reports.rule_changes import rule_changes
from rules.reports.value_changes import Change, value_changes

Kind: TypeAlias = Literal["segment", "activation"]


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """One definition that two catalogues say differently."""

    kind: str
    """`segment`, `activation`, `trait`, `event` or `policy`."""
    id: str
    way: str
    """`new`, `changed`, `reworded`, `moved`, `retired`, `gone`; `not in force`: it is approved in neither."""
    versions: tuple[int | None, int | None]
    """Before and after; None where it has none."""
    means: str
    """What it means at the cut; empty where the way says it all."""
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "what": self.kind,
            "name": self.id,
            "way": self.way,
            "version": {"was": self.versions[0], "is": self.versions[1]},
            "means": self.means,
            "changes": [each.as_json() for each in self.changes],
        }


def definition_changes(old: Catalogue | None, new: Catalogue) -> list[DefinitionChange]:
    """List the definitions that differ: segments, activations, then traits, events and the policy."""
    found = differences(old, new)
    said: dict[tuple[str, str], Difference] = {(each.what, each.name): each for each in found}
    return [
        *_of_kind("segment", {} if old is None else old.segments, new.segments, said),
        *_of_kind("activation", {} if old is None else old.activations, new.activations, said),
        *(
            DefinitionChange(each.what, each.name, each.way, (None, None), each.said, ())
            for each in found
            if each.what not in ("segment", "activation")
        ),
    ]


def _of_kind(
    kind: Kind,
    old: Mapping[str, Segment] | Mapping[str, Activation],
    new: Mapping[str, Segment] | Mapping[str, Activation],
    said: Mapping[tuple[str, str], Difference],
) -> Iterator[DefinitionChange]:
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        difference = said.get((kind, name))
        same = was is not None and now is not None and _text(was.raw) == _text(now.raw)
        if same and difference is None:
            continue
        versions = (None if was is None else was.version, None if now is None else now.version)
        way, means = ("not in force", _status(was, now)) if difference is None else (difference.way, difference.said)
        changes = tuple(_changes(was, now)) if was is not None and now is not None else ()
        yield DefinitionChange(kind, name, way, versions, means, changes)


def _text(raw: Mapping[str, Any]) -> str:
    # the order of arms is a part of what they mean
    arms = raw.get("arms")
    order = list(arms["weights"]) if isinstance(arms, dict) and isinstance(arms.get("weights"), dict) else []
    return canonical_json([raw, order])


def _status(was: Segment | Activation | None, now: Segment | Activation | None) -> str:
    if was is None or now is None:
        return f"it {'came' if was is None else 'went'} as {(was or now).status}"  # type: ignore[union-attr]
    return f"its status is {now.status}" if was.status == now.status else f"from {was.status} to {now.status}"


def _changes(was: Segment | Activation, now: Segment | Activation) -> Iterator[Change]:
    """List what differs, rules first as the file has them, then every other key in the order of the new file."""
    rules: tuple[str, ...] = ()
    if isinstance(was, Segment) and isinstance(now, Segment):
        rules = RULES
        for rule in RULES:
            yield from rule_changes(getattr(was, rule), getattr(now, rule), rule)
    skipped: Final = {"segment", "activation", "version", *rules}
    for key in [*now.raw, *(key for key in was.raw if key not in now.raw)]:
        if key not in skipped:
            yield from value_changes(was.raw.get(key), now.raw.get(key), key)

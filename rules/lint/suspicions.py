"""What lint suspects, before the line in a file is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import DICTIONARY, POLICY
from rules.catalogue.logic import AtLeastOf, Group
from rules.catalogue.segment import Segment
from rules.conditions.base import Node
from rules.language.validation import Path

Code = Literal[
    "load",
    "plain-key",
    "other-key",
    "never-holds",
    "always-holds",
    "memory",
    "never-enters",
    "exit-at-entry",
    "exit-never-fires",
    "stay-lengths",
    "ending-event",
    "by-turns",
    "never-again",
    "pilot-outside",
    "parent-audience",
    "duplicate",
    "near-duplicate",
    "undocumented",
    "unused-trait",
    "unused-event",
    "reach-unread",
    "reach-role",
    "reach-open",
    "never-set",
    "undeclared-path",
    "example",
    "code",
    "spelling",
    "not-approved",
    "approval-fell-away",
    "approvals-open",
]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that is probably not meant: the raw value of the file, and the path inside it."""

    root: Any
    path: Path
    code: Code
    message: str


RULES: Final = ("enter", "exit")
TEXT_MAX: Final = 160
"""Characters of a rule that a message quotes."""


def in_dictionary(catalogue: Catalogue, path: Path, code: Code, message: str) -> Suspicion:
    """Make a finding in dictionary.yaml."""
    return Suspicion(catalogue.files[DICTIONARY], path, code, message)


def in_policy(catalogue: Catalogue, path: Path, code: Code, message: str) -> Suspicion:
    """Make a finding in policy.yaml."""
    return Suspicion(catalogue.files.get(POLICY), path, code, message)


def judged(catalogue: Catalogue) -> list[Segment]:
    """The segments that are worth a warning, all but retired ones, by (rank, id)."""
    living = [segment for segment in catalogue.segments.values() if segment.status != "retired"]
    return sorted(living, key=lambda segment: (catalogue.rank[segment.id], segment.id))


def rules_of(segment: Segment) -> Mapping[str, Node]:
    """The compiled rules of a segment by name."""
    return {"enter": segment.enter} if segment.exit is None else {"enter": segment.enter, "exit": segment.exit}


def parts(node: Node, path: Path) -> list[tuple[Path, Node]]:
    """The direct parts of a group, each with its path in the file; none of a leaf."""
    if not isinstance(node, Group):
        return []
    inner = ("at_least_of", "of") if isinstance(node, AtLeastOf) else (node.keyword,)
    return [((*path, *inner, index), part) for index, part in enumerate(node.parts)]


def walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Walk a rule in document order, groups before their parts."""
    yield path, node
    for inner, part in parts(node, path):
        yield from walk(part, inner)


def quote(node: Node) -> str:
    """Quote a rule in a message, cut to TEXT_MAX characters."""
    text = node.describe()
    return f"'{text}'" if len(text) <= TEXT_MAX else f"'{text[: TEXT_MAX - 1]}…'"

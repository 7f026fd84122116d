"""What two rules ask differently: conditions that came, went, changed, or stand in another group."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rules.catalogue.logic import AllOf, AnyOf, AtLeastOf, Group, NoneOf
from rules.conditions.base import Condition, Node
from rules.language.problems import canonical_json
from rules.reports.value_changes import Change, value_changes


class _Leaf(NamedTuple):
    path: str
    groups: tuple[str, ...]
    """What it counts towards, outermost first; empty: it must hold."""
    condition: Condition

    @property
    def text(self) -> str:
        return canonical_json(self.condition.definition)

    @property
    def about(self) -> tuple[str, str]:
        """Its kind and the name that it is about: two such leaves are two versions of one."""
        definition = self.condition.definition
        about = definition.get(self.condition.kind) if isinstance(definition, dict) else None
        return self.condition.kind, canonical_json(about) if isinstance(about, str | list) else ""

    @property
    def said(self) -> str:
        where = f" ({', in '.join(self.groups)})" if self.groups else ""
        return self.condition.describe() + where


_LABELS: Final[dict[type[Group], str]] = {AllOf: "all of", AnyOf: "any of", NoneOf: "none of"}


def rule_changes(was: Node | None, now: Node | None, rule: str) -> Iterator[Change]:
    """List what differs between two rules, in the order of the new one; what went comes last.

    A condition that stands in both is no change, unless another group decides with it now.
    """
    before = [] if was is None else list(_leaves(was, rule, ()))
    after = [] if now is None else list(_leaves(now, rule, ()))
    pairs = _pairs(before, after)
    for leaf in after:
        old = pairs.get(leaf.path)
        if old is None:
            yield Change(leaf.path, "came", "", leaf.said)
        elif old.text != leaf.text:
            parts = tuple(value_changes(old.condition.definition, leaf.condition.definition, ""))
            yield Change(leaf.path, "changed", old.said, leaf.said, parts)
        elif old.groups != leaf.groups:
            yield Change(leaf.path, "moved", old.said, leaf.said)
    paired = {old.path for old in pairs.values()}
    for leaf in before:
        if leaf.path not in paired:
            yield Change(leaf.path, "went", leaf.said, "")


def _leaves(node: Node, path: str, groups: tuple[str, ...]) -> Iterator[_Leaf]:
    if isinstance(node, Condition):
        yield _Leaf(path, groups, node)
    if not isinstance(node, Group):
        return
    inner = groups
    label = f"at least {node.n} of" if isinstance(node, AtLeastOf) else _LABELS[type(node)]
    # a group of one part, and one inside its like, decide as if they were not there
    alone = len(node.parts) == 1 and not isinstance(node, NoneOf | AtLeastOf)
    plain = isinstance(node, AllOf) and not groups
    if not alone and not plain and not (groups and groups[-1] == label and label in ("all of", "any of")):
        inner = (*groups, label)
    for index, part in enumerate(node.parts):
        yield from _leaves(part, node.part_path(path, index), inner)


def _pairs(before: Sequence[_Leaf], after: Sequence[_Leaf]) -> dict[str, _Leaf]:
    """Match the leaves of two rules, the likest first; return the old leaf by the path of its new one."""
    pairs: dict[str, _Leaf] = {}
    left = list(before)
    for alike in (
        lambda old, new: (old.text, old.groups) == (new.text, new.groups),
        lambda old, new: old.text == new.text,
        lambda old, new: (old.about, old.path) == (new.about, new.path),
        lambda old, new: (old.about, old.groups) == (new.about, new.groups),
        lambda old, new: old.about == new.about,
    ):
        for new in after:
            old = next((each for each in left if alike(each, new)), None) if new.path not in pairs else None
            if old is not None:
                pairs[new.path] = old
                left.remove(old)
    return pairs

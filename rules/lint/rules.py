"""Lint of rules: rules that never hold or never fail, segments that nobody can enter, exits that cannot fire.

Every answer is sound: a report is true. Not everything is found: see `rules.lint.reasoning`.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final, Literal

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import AllOf
from rules.catalogue.segment import Segment
from rules.conditions.base import Condition, Node
from rules.conditions.scene import Scene
from rules.ground.instants import format_duration
from rules.language.validation import Path
from rules.lint.reasoning import Reasoning, scene_of
from rules.lint.suspicions import Code, Suspicion, judged, parts, quote, rules_of

Certainty = Literal["never", "always"]
_CODES: Final[dict[Certainty, Code]] = {"never": "never-holds", "always": "always-holds"}


def check_rules(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Judge the rules of every segment; a segment comes after the segments that it refers to."""
    reasoning = Reasoning(catalogue)
    for segment in judged(catalogue):
        findings = [*_parent(catalogue, segment), *_stay(segment)]
        for rule, node in rules_of(segment).items():
            scene = scene_of(segment, "exit" if rule == "exit" else "enter")
            findings += _Parts(reasoning, segment, scene).run(node, (rule,))
        findings += _entry(reasoning, segment)
        findings += _exit(reasoning, segment)
        yield from findings


def _parent(catalogue: Catalogue, segment: Segment) -> Iterator[Suspicion]:
    if segment.parent is None:
        return
    mine, theirs = segment.layers.audience, catalogue.segments[segment.parent].layers.audience
    if mine is not None and theirs is not None and mine != theirs:
        message = (
            f"the parent {segment.parent!r} is of audience {theirs!r}, this segment of {mine!r}: nobody is of both"
        )
        yield Suspicion(segment.raw, ("parent",), "parent-audience", message)


def _stay(segment: Segment) -> Iterator[Suspicion]:
    least_ms, most_ms = segment.min_stay_ms, segment.max_stay_ms
    if least_ms is not None and most_ms is not None and least_ms >= most_ms:
        message = (
            f"'min_stay' {format_duration(least_ms)} is not shorter than 'max_stay' {format_duration(most_ms)}: "
            "no rule can end a stay before its longest time does"
        )
        yield Suspicion(segment.raw, ("min_stay",), "stay-lengths", message)


def _entry(reasoning: Reasoning, segment: Segment) -> Iterator[Suspicion]:
    """Say why nobody can enter."""
    if reasoning.never(segment.enter, scene_of(segment)):
        reasoning.empty.add(segment.id)
        yield Suspicion(segment.raw, ("enter",), "never-enters", "nobody can ever enter: 'enter' can never hold")
    elif reasoning.never_admitted(segment):
        reasoning.empty.add(segment.id)
        message = "nobody can ever enter: 'enter' cannot hold of a profile that audience, markets and parent admit"
        yield Suspicion(segment.raw, ("enter",), "never-enters", message)
    elif reasoning.never_first(segment):
        reasoning.empty.add(segment.id)
        message = "nobody can ever enter: 'exit' holds whenever 'enter' does (did you mean 'since: entry'?)"
        yield Suspicion(segment.raw, ("exit",), "exit-at-entry", message)


def _exit(reasoning: Reasoning, segment: Segment) -> Iterator[Suspicion]:
    if segment.exit is None or segment.id in reasoning.empty:
        return
    if reasoning.never(segment.exit, scene_of(segment, "exit")):
        yield Suspicion(segment.raw, ("exit",), "exit-never-fires", "'exit' can never hold")
    elif reasoning.never_leaves(segment):
        message = "'exit' can never hold of a member: audience, markets, parent or 'max_stay' rule it out"
        yield Suspicion(segment.raw, ("exit",), "exit-never-fires", message)


class _Parts:
    """Finds the smallest parts of a rule that can never hold or never fail."""

    def __init__(self, reasoning: Reasoning, segment: Segment, scene: Scene) -> None:
        self._reasoning = reasoning
        self._segment = segment
        self._scene = scene

    def run(self, node: Node, path: Path) -> list[Suspicion]:
        """Judge a rule; `everyone: true` in `enter` is meant, and not reported."""
        if isinstance(node, Condition) and node.meant_always and path[-1] != "exit":
            return []
        return self._findings(node, path)

    def _findings(self, node: Node, path: Path) -> list[Suspicion]:
        inside = [finding for inner, part in parts(node, path) for finding in self._findings(part, inner)]
        if isinstance(node, Condition):
            for below, rule in node.rules_inside():
                inside += self.run(rule, (*path, *below))
        state = self._state(node)
        if inside or state is None:
            return inside
        return [self._finding(node, path, state)]

    def _state(self, node: Node) -> Certainty | None:
        if self._reasoning.never(node, self._scene):
            return "never"
        return "always" if self._reasoning.always(node, self._scene) else None

    def _finding(self, node: Node, path: Path, state: Certainty) -> Suspicion:
        beyond = node.beyond_memory() if isinstance(node, Condition) else None
        if beyond is not None:
            below, message = beyond
            return Suspicion(self._segment.raw, (*path, *below), "memory", message)
        word = "can never hold" if state == "never" else "always holds"
        return Suspicion(self._segment.raw, path, _CODES[state], f"{word}: {self._told(node, state)}")

    def _told(self, node: Node, state: Certainty) -> str:
        """Quote the rule, or the two of its parts that exclude each other."""
        if isinstance(node, AllOf) and state == "never":
            for one, other in combinations(node.parts, 2):
                if self._reasoning.never(AllOf((one, other)), self._scene):
                    return f"{quote(one)} and {quote(other)} exclude each other"
        return quote(node)

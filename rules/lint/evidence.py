"""Lint of re-entry: what the default of evidence does to a rule whose author did not think of a second stay.

After an exit by `exit` or `max_stay`, evidence in `enter` counts only later events, and entry waits until `enter` was
seen to fail (docs/language.md, New evidence). Three shapes of rules are traps then:

- ending-event: the event that ends a stay could begin the next one later, but it is not later than the exit.
- by-turns: one event begins a stay, the next event of the same kind ends it, for ever.
- never-again: `enter` always holds, or its evidence ends with a date. Who leaves never returns.

A rule that says what it means is not reported: `since: exit` or `since: ever` on the evidence, or `reenter_after`.
"""

from collections.abc import Iterator

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.conditions.absent import Absent
from rules.conditions.base import Condition
from rules.conditions.covered import Covered
from rules.conditions.event import EventCount
from rules.conditions.facts import UP
from rules.conditions.in_window import OfMatcher
from rules.conditions.last import Last
from rules.conditions.view import View
from rules.engine.profile import Profile
from rules.ground.instants import format_instant, parse_duration
from rules.lint.alternatives import AlternativeLeaves, Asked, alternatives_of
from rules.lint.reasoning import Reasoning, scene_of
from rules.lint.suspicions import Suspicion, judged, quote


def check_evidence(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find segments whose members cannot come back as their author probably means."""
    reasoning = Reasoning(catalogue)
    for segment in judged(catalogue):
        if segment.forgets and segment.reenter_after_ms is None:
            yield from _Evidence(reasoning, segment).run()


class _Evidence:
    """The entry and the exit of one segment, as alternatives of leaves."""

    def __init__(self, reasoning: Reasoning, segment: Segment) -> None:
        self._reasoning = reasoning
        self._segment = segment
        self._enter = alternatives_of(segment.enter, ("enter",))
        self._exit = [] if segment.exit is None else alternatives_of(segment.exit, ("exit",))

    def run(self) -> Iterator[Suspicion]:
        """Find each trap once."""
        yield from self._never_again()
        told: set[int] = set()
        for alternative in self._enter:
            for asked in alternative:
                if id(asked.leaf) not in told and (found := self._trap(asked, alternative)) is not None:
                    told.add(id(asked.leaf))
                    yield found

    def _never_again(self) -> Iterator[Suspicion]:
        segment = self._segment
        if self._reasoning.always(segment.enter, scene_of(segment)):
            message = (
                "a member that leaves by 'exit' or 'max_stay' never enters again: 'enter' always holds, and entry "
                "waits until it fails once; write 'reenter_after: never' if that is meant"
            )
            yield Suspicion(segment.raw, ("enter",), "never-again", message)
            return
        ends = [[each for each in alternative if _ends(each)] for alternative in self._enter]
        if ends and all(ends):
            leaf, path, _ = ends[0][0]
            assert isinstance(leaf, OfMatcher)
            assert leaf.window.until_ms is not None
            message = (
                f"{quote(leaf)} counts only events after the last exit; from {format_instant(leaf.window.until_ms)} on "
                "there are none, and a member that leaves never enters again; write 'reenter_after: never' if that is "
                f"meant, {_ever(leaf)} if not"
            )
            yield Suspicion(segment.raw, path, "never-again", message)

    def _trap(self, asked: Asked, alternative: AlternativeLeaves) -> Suspicion | None:
        leaf = asked.leaf
        if not (_by_default(asked) and isinstance(leaf, OfMatcher)):
            return None
        for ending in self._endings():
            if not self._may_be_one(leaf, ending):
                continue
            if _waits(leaf) or any(self._gives_way(each, leaf, ending) for each in alternative):
                message = (
                    f"an event that ends a stay by {quote(ending)} is no evidence for the next one: {quote(leaf)} "
                    f"counts only later events; write {_ever(leaf)} if that event may begin a stay later, "
                    "'since: exit' if not"
                )
                return Suspicion(self._segment.raw, asked.path, "ending-event", message)
            if self._alone(asked, alternative) and self._all_end(leaf, ending):
                message = (
                    f"the same events begin a stay by {quote(leaf)} and end it by {quote(ending)}, by turns for ever; "
                    "end it by another event, or say with 'reenter_after' or 'since: exit' that it is meant"
                )
                return Suspicion(self._segment.raw, asked.path, "by-turns", message)
        return None

    def _endings(self) -> Iterator[OfMatcher]:
        """Walk the leaves of `exit` that an event can make true."""
        for alternative in self._exit:
            for leaf, _, holds in alternative:
                if holds and isinstance(leaf, OfMatcher) and not _of_nothing(leaf):
                    yield leaf

    def _may_be_one(self, one: OfMatcher, other: OfMatcher | Absent) -> bool:
        """Tell whether one event may match two conditions."""
        types = one.matcher.types & _types(other)
        wheres = one.definition.get("where"), other.definition.get("where")
        return bool(types) and self._reasoning.operators.match(types, *wheres)

    def _gives_way(self, asked: Asked, evidence: OfMatcher, ending: OfMatcher) -> bool:
        """Tell whether the ending event makes another leaf fail only for a time that the evidence may outlast."""
        leaf = asked.leaf
        if isinstance(leaf, Absent):
            denied = asked.holds
        elif isinstance(leaf, OfMatcher):
            denied = asked.holds == _of_nothing(leaf)
        else:
            return False
        if not denied or not (self._may_be_one(evidence, leaf) and self._may_be_one(ending, leaf)):
            return False
        if isinstance(leaf, Covered):
            return True
        lasts_ms = parse_duration(leaf.definition["within"]) if isinstance(leaf, Absent) else leaf.window.within_ms
        return lasts_ms is not None and lasts_ms < (evidence.window.within_ms or UP)

    def _alone(self, asked: Asked, alternative: AlternativeLeaves) -> bool:
        """Tell whether a count of events decides an alternative, beside what no event in a window changes."""
        steady = not any(each.leaf.looks_at_history for each in alternative if each is not asked)
        return steady and isinstance(asked.leaf, EventCount)

    def _all_end(self, evidence: OfMatcher, ending: OfMatcher) -> bool:
        """Tell whether a few of the events that are evidence always end a stay by an alternative of its own."""
        return (
            isinstance(ending, EventCount)
            and ending.mark == "entry"
            and any(len(alternative) == 1 and alternative[0].leaf is ending for alternative in self._exit)
            and evidence.matcher.types <= ending.matcher.types
            and ending.definition.get("where") in (None, evidence.definition.get("where"))
        )


def _types(leaf: OfMatcher | Absent) -> frozenset[str]:
    """Return the event types that a leaf looks at."""
    memory = leaf.memory
    return frozenset() if memory is None else frozenset(name for matcher in memory.matchers for name in matcher.names)


def _by_default(asked: Asked) -> bool:
    """Tell whether a leaf is evidence that counts from the latest exit because nothing else was written."""
    return asked.leaf.mark == "exit" and asked.leaf.definition.get("since") != "exit"


def _ever(leaf: OfMatcher) -> str:
    """Say what lets all events count."""
    return "'since: ever' instead of the date" if leaf.window.since_ms is not None else "'since: ever' on it"


def _ends(asked: Asked) -> bool:
    """Tell whether a leaf is evidence by default of which there can be none from a date on."""
    leaf = asked.leaf
    return _by_default(asked) and isinstance(leaf, OfMatcher) and leaf.window.until_ms is not None


def _waits(leaf: OfMatcher) -> bool:
    """Tell whether an event makes the leaf true only some time after it came."""
    if leaf.window.older_ms is not None:
        return True
    return isinstance(leaf, Last) and any("older_than" in tests for tests in leaf.definition["is"].values())


def _of_nothing(leaf: Condition) -> bool:
    """Tell whether a leaf on events holds where there are none."""
    return leaf.verdict(View(0, Profile("", 0, 0, 0)))[0] is True

"""What a cut asks of the log: which conditions came in without their history, and which events bring it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.conditions.base import Condition
from rules.conditions.memory import Memory
from rules.engine.pending import historic
from rules.engine.plan import Plan, make_plan
from rules.ground.event import Event
from rules.ground.instants import AHEAD_LIMIT_MS, FOREVER

_OLD, _NEW = 1, 2


@dataclass(frozen=True, slots=True)
class WantedCondition:
    """A condition that came in at the cut without its history."""

    segment: str
    path: str
    """Of its leaf, as reasons name it: `enter.all[0]`."""
    text: str
    """In plain English."""
    from_ms: int
    """Its events have later times than this; -FOREVER: all events count."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a cut asks of the log before it."""

    conditions: tuple[WantedCondition, ...]
    """In order of evaluation. Of a partition's first cut: none, for it asks for everything."""
    types: frozenset[str]
    """Types of the events that it asks for."""
    traits: tuple[str, ...]
    """Traits that the dictionary declares anew: `segue.history` names them in `traits`, so that they are set."""
    from_ms: int
    """Events with times up to this move nothing; -FOREVER: all events count."""
    everything: bool
    """Whether it is a partition's first cut: all events become known."""
    memories: tuple[Memory, ...]

    def __bool__(self) -> bool:
        """Tell whether anything is asked for."""
        return bool(self.types)

    @property
    def records_from_ms(self) -> int:
        """Records with timestamps up to this bring nothing: an event is at most 5 min ahead of its record."""
        return self.from_ms if self.from_ms <= -FOREVER else self.from_ms - AHEAD_LIMIT_MS

    def takes(self, event: Event) -> bool:
        """Tell whether an event, decoded by the dictionary in force, is one that must be brought."""
        if event.type not in self.types:
            return False
        if self.everything or any(trait in self.traits for trait, _ in event.sets):
            return True
        return any(_takes(memory, event) for memory in self.memories)


def wanted_history(old: Catalogue | None, new: Catalogue, t_ms: int) -> Wanted:
    """Say what a cut at `t_ms` from one catalogue to another asks of the log before it; None: there was none before."""
    if old is None:
        return Wanted((), frozenset(new.dictionary.events), (), -FOREVER, True, ())
    plan = make_plan(new, ordinal=_NEW, t_ms=t_ms, old=make_plan(old, ordinal=_OLD))
    conditions: list[WantedCondition] = []
    for segment, path, condition in _introduced(plan):
        reaches = [memory.oldest_ms(t_ms) for memory in _memories(condition)]
        conditions.append(WantedCondition(segment, path, condition.describe(), min(reaches, default=t_ms)))
    memories = tuple(memory for memory in plan.states.values() if memory.cut == _NEW)
    traits = tuple(sorted(new.dictionary.traits.keys() - old.dictionary.traits.keys()))
    settings = {*traits, *(trait for memory in memories for trait in memory.traits)}
    types = {type_ for memory in memories for type_ in memory.types}
    types |= {name for name, event in new.dictionary.events.items() if settings & event.sets.keys()}
    brought = [memory.oldest_ms(t_ms) for memory in memories] + [-FOREVER] * bool(traits)
    return Wanted(tuple(conditions), frozenset(types), traits, min(brought, default=t_ms), False, memories)


def _introduced(plan: Plan) -> Iterator[tuple[str, str, Condition]]:
    """Walk the conditions that came in at the cut of a plan: segment, path of the leaf, condition."""
    for segment in plan.segments:
        for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
            for path, leaf, _ in leaves(node, rule) if node is not None else ():
                for condition in historic(leaf):
                    if any(memory.cut == _NEW for memory in _memories(condition)):
                        yield segment.id, path, condition


def _memories(condition: Condition) -> list[Memory]:
    return [] if condition.memory is None else [condition.memory]


def _takes(memory: Memory, event: Event) -> bool:
    if any(trait in memory.traits for trait, _ in event.sets):
        return True
    return any(matcher.matches(event) for matcher in memory.matchers)

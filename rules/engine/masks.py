"""Which segments and activations each thing can move, as bit masks.

Sets of segments are bit masks over their position in the order of evaluation (rank, then id), so that what an event
moved is one integer, and the next segment to visit is its lowest bit. The bits of activations stand above them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from rules.catalogue.logic import AllOf
from rules.conditions.base import Condition, Node
from rules.conditions.memory import Memory
from rules.engine.activations.plan import Activations
from rules.engine.folds import Fold
from rules.engine.pending import Pending
from rules.engine.pilots import Piloted
from rules.engine.segment_plan import SegmentPlan


class Masks:
    """Gathers which segments and activations each thing can move."""

    def __init__(self) -> None:
        self.states: dict[str, Memory] = {}
        self.enter_masks: defaultdict[str, int] = defaultdict(int)
        self.exit_masks: defaultdict[str, int] = defaultdict(int)
        self.traits: defaultdict[str, int] = defaultdict(int)
        self.dependents: defaultdict[str, int] = defaultdict(int)
        self.needs: dict[int, tuple[str, tuple[str, ...]]] = {}
        """By position, the segments whose entry rules need states: id, and the keys of these states."""
        self.needing = 0
        self.needed: defaultdict[str, int] = defaultdict(int)
        self.loose: defaultdict[str, int] = defaultdict(int)
        """By state key: what looks at the state otherwise than by a condition whose verdict lasts."""
        self.known_since = 0
        self.consent = 0

    def add(self, plan: SegmentPlan, pilot: Piloted | None = None) -> None:
        """Gather what moves a segment; `pilot`: its versions, where it is one."""
        if pilot is None:
            self._add_version(plan)
            needed = tuple(dict.fromkeys(_needed(plan.enter)))
            if needed:
                self.needs[plan.position] = plan.id, needed
                self.needing |= 1 << plan.position
                for key in needed:
                    self.needed[key] |= 1 << plan.position
            return
        # either version may govern: no state is needed for sure
        self._add_version(pilot.now)
        self._add_version(pilot.before)
        if pilot.market_trait is not None:
            self.traits[pilot.market_trait] |= 1 << plan.position

    def _add_version(self, plan: SegmentPlan) -> None:
        bit = 1 << plan.position
        if plan.parent is not None:
            self.dependents[plan.parent] |= bit
        if plan.markets is not None:
            self.traits[plan.market_trait] |= bit
        # what refuses keeps no state: traits and consent
        for node, masks in ((plan.enter, self.enter_masks), (plan.exit, self.exit_masks)):
            if node is not None:
                for leaf in node.conditions():
                    self._add_condition(leaf, bit, masks)
        for node in plan.refuse:
            for leaf in node.conditions():
                self._add_condition(leaf, bit, self.enter_masks)

    def add_activations(self, activations: Activations) -> None:
        """Gather what moves activations; counters of caps are kept also where nothing asks them yet."""
        for counter in activations.counters:
            self.keep(counter)
        for name, trait in activations.pilot_traits.items():
            self.traits[trait] |= activations.by_id[name].bit
        for each in (*activations.by_id.values(), *activations.others.values()):
            for segment in each.segments:
                self.dependents[segment] |= each.bit
            if each.market_trait is not None:
                self.traits[each.market_trait] |= each.bit
            for cap in each.caps:
                self.enter_masks[cap.counter.state_key] |= each.bit
                self.loose[cap.counter.state_key] |= each.bit
            for node in each.nodes:
                for leaf in node.conditions():
                    self._add_condition(leaf, each.bit, self.enter_masks)

    def keep(self, memory: Memory) -> None:
        """Keep the state of a memory; one memory serves all that have its text."""
        known = self.states.setdefault(memory.state_key, memory)
        if known.state_text != memory.state_text:
            raise AssertionError("two states share a key")
        if known is not memory:
            self.states[memory.state_key] = known.joined(memory)

    def _add_condition(
        self, condition: Condition, bit: int, masks: defaultdict[str, int], *, inside: bool = False
    ) -> None:
        memory = condition.memory
        if memory is not None:
            self.keep(memory)
            masks[memory.state_key] |= bit
            # what has conditions inside it may look at them in a way of its own
            if not condition.lasts or inside:
                self.loose[memory.state_key] |= bit
        for trait in condition.traits:
            self.traits[trait] |= bit
        for segment in condition.segments:
            self.dependents[segment] |= bit
        if condition.reads_known_since:
            self.known_since |= bit
        if condition.reads_consent:
            self.consent |= bit
        for part in condition.parts:
            self._add_condition(part, bit, masks, inside=True)

    def folds_by(self, names: Callable[[Memory], frozenset[str]]) -> dict[str, tuple[Fold, ...]]:
        """Return the folds by the event types, or traits, that they want to see."""
        found: defaultdict[str, list[Fold]] = defaultdict(list)
        for key, memory in self.states.items():
            wanted = names(memory)
            if wanted:
                fold = self._fold(key, memory)
                for name in wanted:
                    found[name].append(fold)
        return {name: tuple(folds) for name, folds in found.items()}

    def _fold(self, key: str, memory: Memory) -> Fold:
        first_mask, second_mask = self._elsewhere(key)
        enter_mask = self.enter_masks[key] & ~(first_mask | second_mask)
        lasting = bool(self.lasting_mask(key))
        return Fold(key, memory, enter_mask, self.exit_masks[key], first_mask, second_mask, lasting, self.loose[key])

    def lasting_mask(self, key: str) -> int:
        """Return what looks at a state only by conditions whose verdicts last."""
        return (self.enter_masks[key] | self.exit_masks[key]) & ~self.loose[key]

    def _elsewhere(self, key: str) -> tuple[int, int]:
        """Return the segments that a state moves and that need another one: the first that they need, or the second."""
        first_mask = second_mask = 0
        for position in positions(self.enter_masks[key] & self.needing):
            _, needed = self.needs[position]
            if needed[0] != key:
                first_mask |= 1 << position
            elif len(needed) > 1:
                second_mask |= 1 << position
        return first_mask, second_mask

    def needed_elsewhere(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return by state key the segments of `Fold.enter_first_mask` that need it first, and of the other second."""
        first_mask = second_mask = 0
        for key in self.states:
            first, second = self._elsewhere(key)
            first_mask |= first
            second_mask |= second
        found: tuple[defaultdict[str, int], defaultdict[str, int]] = defaultdict(int), defaultdict(int)
        for place, mask in enumerate((first_mask, second_mask)):
            for position in positions(mask):
                found[place][self.needs[position][1][place]] |= 1 << position
        return dict(found[0]), dict(found[1])


def positions(mask: int) -> Iterator[int]:
    """Walk the positions of a mask, the lowest first."""
    while mask:
        lowest = mask & -mask
        mask ^= lowest
        yield lowest.bit_length() - 1


def _needed(node: Node) -> Iterator[str]:
    """Yield the states that must not be inert for a rule to hold: those of the parts of its `all`."""
    if isinstance(node, AllOf):
        for part in node.parts:
            yield from _needed(part)
    elif isinstance(node, Condition) and not isinstance(node, Pending) and node.memory and node.memory.inert(None):
        yield node.memory.state_key

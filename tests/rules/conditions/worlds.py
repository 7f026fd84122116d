"""Small worlds for conditions: a dictionary, a profile that learns events one by one, and random rules and events.

Times are a few milliseconds after START, lengths a few milliseconds, so that every instant can be looked at.
"""

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from hypothesis import strategies as st

from rules.catalogue.logic import read_rule
from rules.conditions.base import Condition, Node
from rules.conditions.context import RuleContext
from rules.conditions.memory import Memory
from rules.conditions.view import Consents, Facts, Mark, Register, State, View
from rules.ground.event import Event, Value
from rules.ground.instants import FOREVER, format_instant
from rules.language.dictionary import Dictionary, read_dictionary
from rules.language.problems import DefinitionReader, Problems, Source
from tests.naive import conditions as naive
from tests.naive.decode import Event as NaiveEvent
from tests.naive.reading import catalogue as naive_catalogue

START = 1_767_225_600_000
"""2026-01-01."""
END = 70
"""How many milliseconds a world lasts."""

_DATA = {
    "k": {"type": "string"},
    "n": {"type": "number"},
    "d": {"type": "datetime"},
    "l": {"type": "list"},
}
DICTIONARY: dict[str, Any] = {
    "traits": {
        "s": {"type": "string"},
        "n": {"type": "number"},
        "i": {"type": "integer"},
        "b": {"type": "boolean"},
        "d": {"type": "datetime"},
        "l": {"type": "list"},
    },
    "events": {"a": {"data": _DATA}, "b": {"data": _DATA}, "c": {"data": {"k": {"type": "number"}}}},
}


def dictionary() -> Dictionary:
    """The dictionary of all worlds."""
    found = read_dictionary(DefinitionReader.of(Source("dictionary.yaml", DICTIONARY), Problems()))
    assert found is not None
    return found


CONTEXT = RuleContext(dictionary(), "enter", "here", forgets=False)


def compiled(rule: Any, context: RuleContext = CONTEXT) -> Node:
    """Compile a rule that must compile."""
    problems = Problems()
    node = read_rule(DefinitionReader.of(Source("s.yaml", {"enter": rule}), problems).down("enter"), context)
    assert node is not None, (rule, problems)
    assert not problems
    return node


def condition(rule: Any, context: RuleContext = CONTEXT) -> Condition:
    """Compile a condition that must compile."""
    node = compiled(rule, context)
    assert isinstance(node, Condition)
    return node


def memory(rule: Any, context: RuleContext = CONTEXT) -> Memory:
    """Return the memory of a condition that has one."""
    found = condition(rule, context).memory
    assert found is not None
    return found


def refused(rule: Any, context: RuleContext = CONTEXT) -> list[str]:
    """Compile a rule that must not compile; return its problems."""
    problems = Problems()
    assert read_rule(DefinitionReader.of(Source("s.yaml", {"enter": rule}), problems).down("enter"), context) is None
    assert problems
    return [problem.message for problem in sorted(set(problems))]


def at(offset: int) -> str:
    """Return an instant of the world, as a definition writes it."""
    return format_instant(START + offset)


def event(
    offset: int,
    name: str = "1",
    kind: str = "a",
    data: Mapping[str, Value] | None = None,
    sets: Mapping[str, Value | None] | None = None,
) -> Event:
    """Make an event so many milliseconds after START."""
    return Event("/s", name, kind, "hcp:1", START + offset, dict(data or {}), tuple((sets or {}).items()))


def altered(one: Event, **fields: Any) -> Event:
    """Return an event with other fields."""
    names = ("source", "id", "type", "subject", "time_ms", "data", "sets")
    return Event(**{name: fields.get(name, getattr(one, name)) for name in names})


class KnownFacts(Facts):
    """What a condition may read of a profile, to be set at will."""

    def __init__(self) -> None:
        self.known_since_ms = 1 << 60
        self.latest_ms = -(1 << 60)
        self.arrivals = 0
        self.born_cut = 0
        self.born_ms = -(1 << 60)
        self.lacking = None
        self.states: dict[str, State] = {}
        self.members: dict[str, int] = {}
        self._traits: dict[str, Register] = {}
        self._consents: Consents = {}

    @property
    def traits(self) -> dict[str, Register]:
        """By name."""
        return self._traits

    @property
    def consents(self) -> Consents:
        """As a profile's."""
        return self._consents

    def state(self, key: str) -> State:
        """A state; None: there is none."""
        return self.states.get(key)

    def member_since(self, segment: str) -> int | None:
        """The present stay's entry."""
        return self.members.get(segment)

    def exit_marked_ms(self, segment: str) -> int:
        """No exit left a mark."""
        return -(1 << 60)


class World:
    """One profile, one rule, and the naive reading of both."""

    def __init__(self, rule: Any, context: RuleContext = CONTEXT) -> None:
        self.rule = rule
        self.context = context
        self.node = compiled(rule, context)
        self.conditions = [part for leaf in self.node.conditions() for part in (leaf, *leaf.parts)]
        memories = (part.memory for part in self.conditions if part.memory is not None)
        self.memories = list({memory.state_key: memory for memory in memories}.values())
        self.facts = KnownFacts()
        self.known: list[naive.Known] = []
        self.entry_mark: Mark | None = None
        self.exit_mark: Mark | None = None
        self.entered_ms: int | None = None
        self.catalogue = naive_catalogue(DICTIONARY, [])

    def learn(self, event: Event, r_offset: int, *, packed: bool = True) -> bool:
        """Fold an event at R; False if it was a redelivery, which must change nothing."""
        facts, r_ms = self.facts, START + r_offset
        new = all(one.event.identity[:3] != (event.time_ms, event.source, event.id) for one in self.known)
        arrival = facts.arrivals + 1
        if new:
            facts.arrivals = arrival
            facts.known_since_ms = min(facts.known_since_ms, event.time_ms)
            facts.latest_ms = max(facts.latest_ms, event.time_ms)
            for trait, value in event.sets:
                setting = Register(event.time_ms, event.source, event.id, value)
                if trait not in facts.traits or facts.traits[trait][:3] < setting[:3]:
                    facts.traits[trait] = setting
            seen = NaiveEvent(
                event.time_ms, event.source, event.id, event.type, event.subject, event.data, dict(event.sets)
            )
            self.known.append(naive.Known(seen, arrival, era=1))
            self.known.sort(key=lambda one: one.event.identity)
        for memory in self.memories:
            state = facts.states.get(memory.state_key)
            moved, before = state, orjson.dumps(state)
            if event.type in memory.types:
                moved = memory.fold(moved, event, arrival, r_ms)
            for trait, value in event.sets:
                if trait in memory.traits:
                    setting = Register(event.time_ms, event.source, event.id, value)
                    moved = memory.fold_setting(moved, trait, setting, arrival, r_ms)
            assert new or moved is state, "a redelivery moved the state"
            assert orjson.dumps(state) == before, "the state that was folded is another now"
            for offset in (r_offset, r_offset + 1):
                if moved is not state and memory.stands_until(state) > START + offset:
                    self._check_prolonged(memory, moved, offset)
            alone = isinstance(self.node, Condition) and memory is self.node.memory
            if moved is not state and alone and memory.inert(moved):
                self.facts.states[memory.state_key] = moved
                assert self.verdict(r_offset) == (False, FOREVER - START), "inert, and yet it holds or will"
            facts.states[memory.state_key] = orjson.loads(orjson.dumps(moved)) if packed else moved
        return new

    def _check_prolonged(self, memory: Memory, moved: State, offset: int) -> None:
        """Check that a moved state leaves each verdict that lasts as it is, and lets it end no sooner."""
        key, view = memory.state_key, self.view(offset)
        before = self.facts.states.get(key)
        for one in self.conditions:
            if one.lasts and one.memory is not None and one.memory.state_key == key:
                self.facts.states[key] = before
                holds, next_ms = one.verdict(view)
                self.facts.states[key] = moved
                holds_now, next_now_ms = one.verdict(view)
                assert holds_now is holds, "it stands, and yet an event changed it"
                assert next_now_ms >= next_ms, "it stands, and yet an event let it end sooner"
        self.facts.states[key] = before

    def prune(self, r_offset: int) -> None:
        """Prune every state at R."""
        for memory in self.memories:
            state = self.facts.states.get(memory.state_key)
            before = orjson.dumps(state)
            self.facts.states[memory.state_key] = memory.prune(state, START + r_offset)
            assert orjson.dumps(state) == before, "the state that was pruned is another now"

    def mark_now(self) -> Mark:
        """Return the mark that a change now would get."""
        return Mark(self.facts.latest_ms, self.facts.arrivals, 0)

    def view(self, offset: int) -> View:
        """Return the profile as a rule sees it at an instant."""
        observed = self.facts.known_since_ms if self.context.rule == "enter" else self.entered_ms
        return View(START + offset, self.facts, self.entry_mark, self.exit_mark, observed)

    def verdict(self, offset: int) -> tuple[bool | None, int]:
        """Return whether the rule holds, and the offset of the next flip."""
        holds, next_ms = self.node.verdict(self.view(offset))
        return holds, next_ms - START

    def holds(self, offset: int) -> bool | None:
        """Tell whether the rule holds at an instant."""
        return self.verdict(offset)[0]

    def naive_holds(self, offset: int) -> bool | None:
        """Tell whether the rule holds at an instant, from the full history."""
        return naive.truth(
            self.rule,
            naive.Sight(
                t=START + offset,
                catalogue=self.catalogue,
                known=self.known,
                facts=self.known,
                starts_known=lambda _trait, _at: True,
                rule=self.context.rule,
                forgets=self.context.forgets,
                odd=self.context.denied,
                entry_mark=_naive_mark(self.entry_mark),
                exit_mark=_naive_mark(self.exit_mark),
                entered_at=self.entered_ms,
                members=self.facts.members,
                look=lambda _condition, sight: sight,
            ),
        )


def _naive_mark(mark: Mark | None) -> naive.Mark | None:
    return None if mark is None else naive.Mark(mark.time_ms, mark.arrival, 0)


def learned(rule: Any, *events: Event, context: RuleContext = CONTEXT) -> World:
    """Return a world that learned the events in their order, each at its own time."""
    world, r_offset = World(rule, context), 0
    for one in events:
        r_offset = max(r_offset, one.time_ms - START)
        world.learn(one, r_offset)
    return world


# ------------------------------------------------------------------ random ones

lengths = st.integers(1, 25).map(lambda ms: f"{ms}ms")
instants = st.integers(0, 45).map(at)
words = st.sampled_from(["x", "y", "z"])
numbers = st.sampled_from([-1, 0, 1, 2, 2.5, 3])
event_types = st.sampled_from(["a", "b", ["a", "b"]])
days = st.sampled_from([-1, 0, 1e-12, *(ms / 86_400_000 for ms in (1, 3, 7, 12, 20)), 1e300])

string_tests = st.one_of(
    st.fixed_dictionaries({"equals": words}),
    st.fixed_dictionaries({"not_equals": words}),
    st.fixed_dictionaries({"in": st.lists(words, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"not_in": st.lists(words, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"matches": st.sampled_from(["x|y", "[^z]", "."])}),
)
number_tests = st.one_of(
    *(st.fixed_dictionaries({name: numbers}) for name in ("above", "at_least", "below", "at_most", "equals")),
    st.tuples(numbers, numbers).map(lambda ends: {"between": sorted(ends)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
signed = st.tuples(st.sampled_from(["", "-"]), lengths).map("".join)
datetime_tests = st.one_of(
    st.fixed_dictionaries({"older_than": signed}),
    st.fixed_dictionaries({"newer_than": signed}),
    st.fixed_dictionaries({"above": instants}),
    st.fixed_dictionaries({"older_than": signed, "newer_than": signed}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
list_tests = st.one_of(
    st.fixed_dictionaries({"contains": words}),
    st.fixed_dictionaries({"contains_any": st.lists(words, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
trait_tests = st.one_of(
    string_tests.map(lambda tests: {"trait": "s", **tests}),
    number_tests.map(lambda tests: {"trait": "n", **tests}),
    datetime_tests.map(lambda tests: {"trait": "d", **tests}),
    list_tests.map(lambda tests: {"trait": "l", **tests}),
)
wheres = st.one_of(
    st.none(),
    string_tests.map(lambda tests: {"k": tests}),
    number_tests.map(lambda tests: {"n": tests}),
    datetime_tests.map(lambda tests: {"d": tests}),
    st.tuples(string_tests, list_tests).map(lambda tests: {"k": tests[0], "l": tests[1]}),
)


def maybe(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a mapping with any of the keys; a value None leaves its key out."""
    return st.fixed_dictionaries({}, optional=keys).map(
        lambda found: {key.rstrip("_"): value for key, value in found.items() if value is not None}
    )


sinces = st.sampled_from(["mark", "ever", at(5), at(20)])
"""`mark` stands for the mark of the context."""


@st.composite
def windows(draw: st.DrawFn, *, bucket: bool = False, until: bool = True) -> dict[str, Any]:
    """A window that makes sense."""
    found: dict[str, Any] = draw(maybe(within=lengths, since=sinces))
    if draw(st.integers(0, 3)) == 0:
        found["older_than"] = f"{draw(st.integers(1, 8))}ms"
    if until and draw(st.integers(0, 4)) == 0:
        found["until"] = at(30)
    if bucket and draw(st.integers(0, 2)) == 0:
        found["bucket"] = f"{draw(st.integers(2, 9))}ms"
    if "within" in found and "older_than" in found and int(found["within"][:-2]) <= int(found["older_than"][:-2]):
        del found["within"]
    return found


counts = st.one_of(
    st.none(),
    st.fixed_dictionaries({"at_least": st.integers(0, 3)}),
    st.fixed_dictionaries({"at_most": st.integers(0, 3)}),
    st.fixed_dictionaries({"exactly": st.integers(0, 3)}),
    st.tuples(st.integers(0, 2), st.integers(0, 2)).map(lambda ends: {"between": sorted(ends)}),
)


def merged(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One mapping of several."""
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


steps = st.one_of(
    event_types,
    merged(st.fixed_dictionaries({"event": event_types}), maybe(where=wheres)),
)


@st.composite
def sequences(draw: st.DrawFn) -> dict[str, Any]:
    """A sequence of up to three steps, with nots between."""
    items: list[Any] = []
    for index in range(draw(st.integers(1, 3))):
        step = draw(steps)
        if index and isinstance(step, dict):
            limits = draw(maybe(within=lengths, after=lengths))
            if len(limits) == 2 and int(limits["within"][:-2]) <= int(limits["after"][:-2]):
                del limits["after"]
            step = {**step, **limits}
        items.append(step)
        items += draw(st.lists(st.fixed_dictionaries({"not": steps, "within": lengths}), max_size=2))
    return {"sequence": items, "within": draw(lengths), **draw(maybe(since=sinces))}


score_events = merged(
    st.fixed_dictionaries({"event": event_types, "points": st.sampled_from([1, 0.5, 3, 0.1])}),
    maybe(where=wheres, half_life=lengths, since=sinces, bucket=st.sampled_from(["4ms", "7ms"])),
)
whens = st.one_of(
    trait_tests,
    st.fixed_dictionaries({"any": st.tuples(trait_tests, st.just({"segment": "other", "for": "9ms"})).map(list)}),
    st.fixed_dictionaries({"absent": event_types, "within": lengths}),
)
scores = st.fixed_dictionaries(
    {
        "score": st.lists(
            st.one_of(
                score_events,
                score_events,
                st.fixed_dictionaries({"when": whens, "points": st.sampled_from([1, -1, 2.5])}),
            ),
            min_size=1,
            max_size=3,
        ),
        "at_least": st.sampled_from([0, 0.3, 1, 1.5, 2, 4]),
    }
)
aggregates = merged(
    st.one_of(
        merged(
            st.fixed_dictionaries({"aggregate": st.sampled_from(["sum", "min", "max", "mean"]), "of": st.just("n")}),
            number_tests,
        ),
        merged(
            st.fixed_dictionaries({"aggregate": st.just("distinct"), "of": st.sampled_from(["k", "l", "n"])}),
            st.fixed_dictionaries({"at_least": st.integers(0, 3)}),
        ),
        merged(
            st.fixed_dictionaries({"aggregate": st.sampled_from(["min", "max"]), "of": st.just("d")}),
            st.one_of(
                st.fixed_dictionaries({"newer_than": signed}),
                st.fixed_dictionaries({"below": instants}),
            ),
        ),
    ),
    st.fixed_dictionaries({"event": event_types}),
    maybe(where=wheres),
    windows(bucket=True),
)
_STRING_OR_NONE = st.one_of(st.none(), words)
rules: dict[str, st.SearchStrategy[Any]] = {
    "trait": trait_tests,
    "held": merged(trait_tests, st.fixed_dictionaries({"for": lengths})),
    "changed": st.one_of(
        merged(
            st.fixed_dictionaries({"changed": st.just("s"), "within": lengths}),
            st.fixed_dictionaries({}, optional={"from": _STRING_OR_NONE, "to": _STRING_OR_NONE}),
        ),
        st.fixed_dictionaries({"changed": st.sampled_from(["n", "d", "l"]), "within": lengths}),
    ).filter(lambda rule: "from" not in rule or "to" not in rule or rule["from"] != rule["to"]),
    "event": merged(
        st.fixed_dictionaries({"event": event_types}), maybe(where=wheres, count=counts), windows(bucket=True)
    ),
    "last": merged(
        st.fixed_dictionaries({"last": event_types}),
        st.one_of(
            string_tests.map(lambda tests: {"is": {"k": tests}}),
            datetime_tests.map(lambda tests: {"is": {"d": tests}}),
            st.tuples(datetime_tests, string_tests).map(lambda tests: {"is": {"d": tests[0], "k": tests[1]}}),
        ),
        maybe(where=wheres),
        windows(),
    ),
    "absent": merged(st.fixed_dictionaries({"absent": event_types, "within": lengths}), maybe(where=wheres)),
    "sequence": sequences(),
    "aggregate": aggregates,
    "covered": merged(
        st.fixed_dictionaries({"covered": event_types}),
        st.one_of(
            st.just({"until": "d"}),
            st.just({"days": "n"}),
            st.just({"days": "n", "overlap": "merge"}),
        ),
        maybe(where=wheres, gap=lengths, since=sinces),
    ),
    "score": scores,
    "segment": merged(st.just({"segment": "other"}), maybe(for_=lengths)),
    "during": st.one_of(st.just({"during": {"from": at(10), "until": at(20)}}), st.just({"during": {"from": at(10)}})),
}
"""Random definitions, by kind."""


@st.composite
def histories(draw: st.DrawFn, *, fills: bool = False) -> list[Event]:
    """Different events of one profile, by identity."""
    found: dict[tuple[int, str], Event] = {}
    amount = days if fills else numbers
    for _ in range(draw(st.integers(1, 9))):
        offset, name = draw(st.integers(0, 40)), draw(st.sampled_from("123"))
        data = draw(
            maybe(k=words, n=amount, d=st.integers(0, 50).map(lambda ms: START + ms), l=st.lists(words).map(tuple))
        )
        sets = draw(
            st.one_of(
                st.just({}),
                st.fixed_dictionaries(
                    {},
                    optional={
                        "s": _STRING_OR_NONE,
                        "n": st.one_of(st.none(), numbers),
                        "d": st.one_of(st.none(), st.integers(0, 50).map(lambda ms: START + ms)),
                        "l": st.one_of(st.none(), st.lists(words, max_size=2).map(tuple)),
                    },
                ),
            )
        )
        found[offset, name] = event(offset, name, draw(st.sampled_from("aab")), data, sets)
    return list(found.values())


def placed(rule: Any, context: RuleContext) -> Any:
    """The rule with `since: mark` made the mark of the context (or left out, where it has none)."""
    if isinstance(rule, list):
        return [placed(item, context) for item in rule]
    if not isinstance(rule, dict):
        return rule
    word: Literal["entry", "exit"] | None = "entry" if context.rule == "exit" else "exit" if context.forgets else None
    found = {}
    for key, value in rule.items():
        if key != "since" or value != "mark":
            found[key] = placed(value, context)
        elif word is not None:
            found[key] = word
    return found


contexts = st.sampled_from(
    [
        CONTEXT,
        RuleContext(CONTEXT.dictionary, "enter", "here", forgets=True),
        RuleContext(CONTEXT.dictionary, "exit", "here", forgets=True),
    ]
)

"""What each kind of condition says in facts, when it holds and when it does not (see `rules.conditions.facts`).

One function a kind, in a table that is proved total. Each is read off the definition as written, which was checked when
the catalogue was loaded. Names of variables say all that their value depends on, the mark from which events count too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from rules.conditions import KINDS
from rules.conditions.aggregate import FIGURES, exact_sum
from rules.conditions.base import Condition, Node
from rules.conditions.facts import ALWAYS, NEVER, UP, Alternatives, Counted, Fact, OneOf, Range
from rules.conditions.possible_values import AGES, Tested, possible
from rules.conditions.window import Window
from rules.ground.instants import AHEAD_LIMIT_MS, parse_duration, parse_instant
from rules.ground.values import ValueType
from rules.language.dictionary import Dictionary
from rules.language.operators import OPERATORS, Test, read_test
from rules.language.problems import DefinitionReader, Problems, Source, canonical_json

CONSENTS: Final = frozenset({"granted", "withdrawn", "unknown"})
_SINCE_WORDS: Final = ("entry", "exit", "ever")
_NOW: Final = ("now",)


@dataclass(frozen=True, slots=True)
class Scene:
    """Of which rule, and when, it is asked whether it holds."""

    segment: str
    rule: Literal["enter", "exit"]
    forgets: bool
    first_time: bool = False
    """Of profiles that never left the segment: no mark of an exit bounds anything."""
    entering: bool = False
    """Of `exit`, at the evaluation at which the profile would enter: nothing is later than that mark."""
    stay_max_ms: float = UP
    """Of `exit`: no stay is longer."""


class Judge(Protocol):
    """What the facts of a leaf need to know of the rest of the catalogue."""

    tests: "Tests"

    def in_segment(self, name: str, for_ms: float) -> Alternatives:
        """What holds of a member of so long."""
        ...

    def when(self, raw: Any, scene: Scene) -> Node:
        """Compile the condition of a score's item."""
        ...

    def never(self, rule: Node, scene: Scene) -> bool:
        """Tell whether a rule can be shown never to hold."""
        ...

    def always(self, rule: Node, scene: Scene) -> bool:
        """Tell whether a rule can be shown always to hold."""
        ...


class Tests:
    """Takes the operators of a definition one by one; makes each only once."""

    __test__ = False  # no test class of pytest's

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._made: dict[tuple[str, str, str], Test] = {}

    def of(self, variable: tuple[str, ...], raw: Mapping[str, Any], kind: ValueType) -> list[Tested]:
        """Take those keys of a mapping that are operators."""
        found: list[Tested] = []
        for operator, operand in raw.items():
            if operator in OPERATORS:
                text = canonical_json(operand)
                test = self._made.get((kind, operator, text))
                if test is None:
                    alone = {operator: operand}
                    test = read_test(DefinitionReader(Source("", alone), (), alone, Problems()), alone, kind, "")
                    assert test is not None, "checked when the catalogue was loaded"
                    self._made[kind, operator, text] = test
                found.append(Tested(variable, kind, operator, text, False, operand, test))
        return found

    def of_trait(self, raw: Mapping[str, Any]) -> list[Tested]:
        """Take those of a condition on a trait."""
        return self.of(("trait", raw["trait"]), raw, self.dictionary.traits[raw["trait"]].type)

    def match(
        self, types: Iterable[str], where: Mapping[str, Any] | None, is_: Mapping[str, Any] | None = None
    ) -> bool:
        """Tell whether some event may satisfy a `where`, and an `is` besides."""
        data = self.dictionary.events[min(types)].data
        found: dict[str, list[Tested]] = {}
        for name, operators in (where or {}).items():
            found[name] = self.of((name,), operators, data[name].type)
        for name, operators in (is_ or {}).items():
            tests = self.of((name,), operators, data[name].type)
            # ages in `where` are at the event's own time, in `is` at the instant: not comparable
            found[name] = [*(each for each in found.get(name, ()) if each.operator not in AGES), *tests]
        return all(possible(tests) for tests in found.values())


def _nothing_yet(leaf: Condition, scene: Scene) -> bool:
    """Tell whether a condition counts from a mark that nothing is later than."""
    return scene.entering and leaf.mark == "entry"


def _nothing_ever(judge: Judge, leaf: Condition, scene: Scene) -> bool:
    """Tell whether no event can be counted by a condition with a `where` and a whole window."""
    window: Window = leaf.window  # type: ignore[attr-defined]
    return window.empty or _nothing_yet(leaf, scene) or not judge.tests.match(leaf.types, leaf.definition.get("where"))


def _name(leaf: Condition, scene: Scene, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Name a variable by what a definition says and from which mark it counts here."""
    mark = None if scene.first_time and leaf.mark == "exit" else leaf.mark
    said = {key: value for key, value in raw.items() if key != "since" or value not in _SINCE_WORDS}
    # the items of a score may count from different marks, by default those of the rule
    rule = scene.rule if leaf.kind == "score" and not scene.first_time else ""
    return leaf.kind, canonical_json(said), str(mark), rule


def _own(leaf: Condition, holds: bool, scene: Scene, besides: Iterable[Fact] = ()) -> Alternatives:
    """A variable of its own: true, and what follows from that; or false."""
    own = OneOf(_name(leaf, scene, leaf.definition), frozenset({holds}))
    return [frozenset({own, *besides})] if holds else [frozenset({own})]


def _types(raw: Mapping[str, Any]) -> list[str]:
    return raw["event"] if isinstance(raw["event"], list) else [raw["event"]]


def count_bounds(raw: Mapping[str, Any]) -> tuple[float, float]:
    """The bounds of the `count` of an event condition, both inclusive; several keys must all hold."""
    count = raw.get("count", {"at_least": 1})
    low, high = count.get("between", (0, UP))
    exactly = count.get("exactly")
    if exactly is not None:
        low, high = max(low, exactly), min(high, exactly)
    return max(low, count.get("at_least", 0)), min(high, count.get("at_most", UP))


def _fits(steps: Sequence[Any], within_ms: int) -> bool:
    """Tell whether the waits of a sequence leave room for it: the first match lies less than `within_ms` ago."""
    lasts_ms = quiet_ms = 0
    for step in steps:
        if isinstance(step, dict) and "not" in step:
            quiet_ms = max(quiet_ms, parse_duration(step["within"]))
            continue
        gap_ms = quiet_ms
        if isinstance(step, dict):
            gap_ms = max(gap_ms, parse_duration(step["after"]) if "after" in step else 0)
            if "within" in step and parse_duration(step["within"]) <= gap_ms:
                return False
        lasts_ms, quiet_ms = lasts_ms + gap_ms, 0
    # the last match may be a little ahead, but a quiet after it must have passed
    return lasts_ms + quiet_ms < (within_ms if quiet_ms else within_ms + AHEAD_LIMIT_MS)


def _trait(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    tests = judge.tests.of_trait(raw)
    if holds:
        return [frozenset(tests)]
    return [frozenset({replace(test, denied=True)}) for test in tests]


def _held(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw, for_ms = leaf.definition, parse_duration(leaf.definition["for"])
    length = ("held", canonical_json({key: value for key, value in raw.items() if key != "for"}))
    if not holds:
        return [frozenset({Range(length, high=for_ms - 1)})]
    tests = judge.tests.of_trait(raw)
    return [frozenset({Range(length, low=for_ms), *tests})]


def _changed(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw, within_ms = leaf.definition, parse_duration(leaf.definition["within"])
    if {"from", "to"} <= raw.keys() and canonical_json(raw["from"]) == canonical_json(raw["to"]):
        return NEVER if holds else ALWAYS  # a step is between two different values
    age = ("changed", canonical_json({key: value for key, value in raw.items() if key != "within"}))
    return [frozenset({Range(age, high=within_ms - 1) if holds else Range(age, low=within_ms)})]


def _event(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    counted = _counted(leaf, raw.get("where"), leaf.window, scene)  # type: ignore[attr-defined]
    least, most = count_bounds(raw)
    nothing = _nothing_ever(judge, leaf, scene)
    domain = Range(counted, 0, 0 if nothing else UP)
    if holds:
        return [frozenset({Range(counted, least, most), domain})]
    fewer = [frozenset({Range(counted, high=least - 1), domain})] if least else []
    return [*fewer, frozenset({Range(counted, low=most + 1), domain})] if most < UP else fewer


def _counted(leaf: Condition, where: Any, window: Window, scene: Scene) -> Counted:
    if scene.first_time and window.mark == "exit":
        window = replace(window, mark=None)
    return Counted(leaf.types, "" if where is None else canonical_json(where), window)


def _last(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    if _nothing_ever(judge, leaf, scene) or not judge.tests.match(leaf.types, raw.get("where"), raw["is"]):
        return NEVER if holds else ALWAYS
    counted = _counted(leaf, raw.get("where"), leaf.window, scene)  # type: ignore[attr-defined]
    return _own(leaf, holds, scene, [Range(counted, low=1)])


def _absent(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw, within_ms = leaf.definition, parse_duration(leaf.definition["within"])
    if scene.entering:
        return NEVER if holds else ALWAYS
    where = raw.get("where")
    length = ("absent", scene.rule, canonical_json([sorted(leaf.types), where]))
    if not holds:
        return [frozenset({Range(length, high=within_ms - 1)})]
    counted = _counted(leaf, where, Window(within_ms=within_ms), scene)
    longest = scene.stay_max_ms if scene.rule == "exit" else UP
    return [frozenset({Range(length, low=within_ms, high=longest), Range(counted, 0, 0)})]


def _sequence(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw, within_ms = leaf.definition, parse_duration(leaf.definition["within"])
    if _nothing_yet(leaf, scene) or not _fits(raw["sequence"], within_ms):
        return NEVER if holds else ALWAYS
    for step in raw["sequence"]:
        matched = isinstance(step, dict) and "not" not in step
        if matched and not judge.tests.match(_types(step), step.get("where")):
            return NEVER if holds else ALWAYS
    return _own(leaf, holds, scene)


def _aggregate(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    figure = FIGURES[raw["aggregate"]]
    kind = figure.gives or judge.tests.dictionary.events[min(leaf.types)].data[raw["of"]].type
    windowed = {key: value for key, value in raw.items() if key not in OPERATORS or key == "older_than"}
    variable = _name(leaf, scene, windowed)
    of_nothing = raw["aggregate"] in ("sum", "distinct")
    domain: dict[str, Any] = {"exists": True} if of_nothing else {}
    if raw["aggregate"] == "distinct":
        domain["at_least"] = 0
    if _nothing_ever(judge, leaf, scene):
        domain = {"equals": 0} if of_nothing else {"exists": False}
    known = judge.tests.of(variable, domain, kind)
    tests = judge.tests.of(variable, {key: value for key, value in raw.items() if key not in windowed}, kind)
    if holds:
        return [frozenset((*known, *tests))]
    return [frozenset((*known, replace(test, denied=True))) for test in tests]


def _covered(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    if _nothing_yet(leaf, scene) or not judge.tests.match(leaf.types, leaf.definition.get("where")):
        return NEVER if holds else ALWAYS
    return _own(leaf, holds, scene)


def _score(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    sure: list[float] = []
    perhaps: list[float] = []
    for item in leaf.definition["score"]:
        if "when" not in item:
            if judge.tests.match(_types(item), item.get("where")):
                perhaps.append(UP)
            continue
        node = judge.when(item["when"], scene)
        if judge.always(node, scene):
            sure.append(item["points"])
        elif not judge.never(node, scene):
            perhaps.append(item["points"])
    at_least = leaf.definition["at_least"]
    if exact_sum(sure + [points for points in perhaps if points < 0]) >= at_least:
        return ALWAYS if holds else NEVER
    if UP not in perhaps and exact_sum(sure + [points for points in perhaps if points > 0]) < at_least:
        return NEVER if holds else ALWAYS
    return _own(leaf, holds, scene)


def _segment(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    for_ms = parse_duration(raw["for"]) if "for" in raw else 0
    if holds:
        return judge.in_segment(raw["segment"], for_ms)
    return [frozenset({Range(("stay", raw["segment"]), high=for_ms - 1)})]


def _consent(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    raw = leaf.definition
    asked = frozenset({raw.get("is", "granted")})
    variable = ("consent", raw["consent"]["channel"], raw["consent"]["purpose"])
    return [frozenset({OneOf(variable, asked if holds else CONSENTS - asked)})]


def _during(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    dates = leaf.definition["during"]
    from_ms, until_ms = (parse_instant(dates[key]) if key in dates else None for key in ("from", "until"))
    low, high = -UP if from_ms is None else from_ms, UP if until_ms is None else until_ms - 1
    if holds:
        return [frozenset({Range(_NOW, low, high)})]
    before = [] if from_ms is None else [frozenset({Range(_NOW, high=from_ms - 1)})]
    return before if until_ms is None else [*before, frozenset({Range(_NOW, low=until_ms)})]


def _everyone(judge: Judge, leaf: Condition, holds: bool, scene: Scene) -> Alternatives:
    return ALWAYS if holds else NEVER


Says = Callable[[Judge, Condition, bool, Scene], Alternatives]
LEAVES: Final[Mapping[str, Says]] = {
    "everyone": _everyone,
    "trait": _trait,
    "held": _held,
    "changed": _changed,
    "event": _event,
    "last": _last,
    "absent": _absent,
    "sequence": _sequence,
    "aggregate": _aggregate,
    "covered": _covered,
    "score": _score,
    "segment": _segment,
    "consent": _consent,
    "during": _during,
}
"""By kind of condition."""

if set(LEAVES) != {kind.condition.kind for kind in KINDS}:
    raise AssertionError("every kind of condition must say what it means in facts")

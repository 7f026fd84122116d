"""Conditions that look at history which they have not seen: no verdict (docs/language.md, Pending).

After a cut at T a new condition that looks at history is *pending* for a profile until one of its guards' ends comes:
its window begins at T + 5 min or later; the mark that it counts from was set under this catalogue or a later one; the
profile became known under it. Equal conditions of the old catalogue carry their own introduction on.

A profile may lack more than the rest of its partition does: another subject brought facts from a partition that stood
under another catalogue, or facts from before a cut (`rules.engine.persons.lacking`). For that profile the conditions on
these states have no verdict, as after a cut at the instant from which on they know all (`Lacking`).

When a fill has brought the history, T is the instant from which on the log was whole: at most the cut's, so marks and
births from before the cut may count too. If the log was whole from its beginning, nothing of that cut is pending.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

from mypy_extensions import mypyc_attr

from rules.conditions.base import Completion, Condition, Node, Verdict
from rules.conditions.facts import Alternatives
from rules.conditions.scene import Compared, Judge, Scene, Word
from rules.conditions.view import MarkKind, View
from rules.ground.instants import FOREVER
from rules.language.dictionary import Dictionary
from rules.language.problems import canonical_json
from rules.language.validation import Path


class Introduction(NamedTuple):
    """The cut at which a condition came in without its history."""

    cut: int
    t_ms: int


Introductions: TypeAlias = Mapping[tuple[str, str], Introduction | None]
"""By (name of the condition's canonical text, segment); None: its history is whole."""


Fills: TypeAlias = Mapping[int, int | None]
"""By ordinal of a cut that is filled: the instant from which on the log was whole; None: it was whole."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition's share of being pending: over at `complete_ms`, or by a mark or a birth at `cut` or later.

    `since_ms`: so is it by a mark or a birth at that instant or later.
    """

    cut: int
    since_ms: int
    complete_ms: int
    mark: MarkKind | None
    segment: str

    def over(self, view: View) -> bool:
        """Tell whether this profile's history of the condition is whole at `view.t_ms`."""
        facts = view.facts
        if view.t_ms >= self.complete_ms or facts.born_cut >= self.cut or facts.born_ms >= self.since_ms:
            return True
        mark = view.mark(self.mark)
        return mark is not None and (mark.cut >= self.cut or self.marked(view))

    def marked(self, view: View) -> bool:
        """Tell whether the mark was set when all was known."""
        return view.mark(self.mark) is not None and self._set_ms(view) >= self.since_ms

    def _set_ms(self, view: View) -> int:
        """Return the instant at which the mark was set. A mark of an entry is the present stay's, or is set now."""
        if self.mark == "exit":
            return view.facts.exit_marked_ms(self.segment)
        return view.t_ms if view.observed_since_ms is None else view.observed_since_ms


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Pending(Condition):
    """A leaf that has no verdict while any of its guards stands; afterwards it is the leaf itself."""

    looks_at_history = True

    def __init__(self, inner: Condition, guards: tuple[Guard, ...]) -> None:
        self.inner = inner
        self.guards = guards
        self.kind = inner.kind  # type: ignore[misc]
        self.meant_always = inner.meant_always  # type: ignore[misc]
        self.definition, self.memory, self.state_key = inner.definition, inner.memory, inner.state_key
        self.traits, self.segments, self.reads_consent = inner.traits, inner.segments, inner.reads_consent
        self.reads_known_since, self.mark, self.lasts = inner.reads_known_since, inner.mark, inner.lasts
        self.parts, self.text_name = inner.parts, inner.text_name

    def verdict(self, view: View) -> Verdict:
        """No verdict until every guard is over; the next look is when the first of them ends by time."""
        waits, next_ms = False, FOREVER
        for guard in self.guards:
            if not guard.over(view):
                waits = True
                if guard.complete_ms < next_ms:
                    next_ms = guard.complete_ms
        return (None, next_ms) if waits else self.inner.verdict(view)

    def pending(self, view: View) -> bool:
        """Tell whether it has no verdict yet; for explanations."""
        return any(not guard.over(view) for guard in self.guards)

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """As the leaf does."""
        return self.inner.completions(cut_ms)

    def describe(self) -> str:
        """As the leaf does."""
        return self.inner.describe()

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """As the leaf does."""
        return self.inner.evidence(view)

    def capped(self, view: View) -> bool:
        """As the leaf does."""
        return self.inner.capped(view)

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """As the leaf does."""
        return self.inner.facts(judge, holds, scene)

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """As the leaf does."""
        return self.inner.compared(dictionary)

    def words(self) -> Iterator[Word]:
        """As the leaf does."""
        return self.inner.words()

    def rules_inside(self) -> Iterator[tuple[Path, Node]]:
        """As the leaf does."""
        return self.inner.rules_inside()

    def beyond_memory(self) -> tuple[Path, str] | None:
        """As the leaf does."""
        return self.inner.beyond_memory()


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Lacking(Pending):
    """A leaf of a rule as it judges a profile that lacks states: no verdict while a state of its own is among them."""

    def __init__(self, inner: Condition, segment: str) -> None:
        super().__init__(inner, inner.guards if isinstance(inner, Pending) else ())
        self._segment = segment
        self._historic = tuple(each for each in historic(inner) if each.memory is not None)

    def verdict(self, view: View) -> Verdict:
        """No verdict until every window begins when all was known, or its mark was set then."""
        waits = [guard.complete_ms for guard in self._lacking(view)]
        return (None, min(waits)) if waits else self.inner.verdict(view)

    def pending(self, view: View) -> bool:
        """Tell whether it has no verdict yet; for explanations."""
        return any(True for _ in self._lacking(view)) or super().pending(view)

    def _lacking(self, view: View) -> Iterator[Guard]:
        """Walk what it waits for. A birth says nothing here: the facts came to the profile without their states."""
        for condition in self._historic:
            assert condition.memory is not None
            since_ms = (view.facts.lacking or {}).get(condition.memory.state_key)
            if since_ms is not None:
                for complete_ms, mark in condition.completions(since_ms):
                    guard = Guard(_NO_CUT, since_ms, complete_ms, mark, self._segment)
                    if view.t_ms < complete_ms and not guard.marked(view):
                        yield guard


_NO_CUT: Final = 0


def text_name(condition: Condition) -> str:
    """Name what a condition says: equal for equal YAML values, key order apart, that count from equal marks."""
    if not condition.text_name:
        condition.text_name = _text_name(condition)
    return condition.text_name


def _text_name(condition: Condition) -> str:
    marks = [mark for _, mark in condition.completions(0)]
    said = condition.definition if not any(marks) else [condition.definition, marks]
    return blake2b(canonical_json(said).encode(), digest_size=12).hexdigest()


def historic(leaf: Condition) -> Iterator[Condition]:
    """Yield the conditions of a leaf that look at history: the leaf itself, and the conditions inside it."""
    if leaf.looks_at_history:
        yield leaf
    for part in leaf.parts:
        yield from historic(part)


def first_by_text(introductions: Introductions) -> dict[str, Introduction | None]:
    """Return by name of a canonical text when the first condition of that text came in; None: its history is whole."""
    found: dict[str, Introduction | None] = {}
    for (text, _), introduction in introductions.items():
        known = found.setdefault(text, introduction)
        if known is not None and (introduction is None or introduction.cut < known.cut):
            found[text] = introduction
    return found


def introduce(
    condition: Condition,
    segment: str,
    old: Introductions,
    first: Mapping[str, Introduction | None],
    now: Introduction,
) -> Introduction | None:
    """Return when a condition came in: when an equal condition of the old approved segments came in, else now.

    A condition that counts from a mark is equal only to a condition in the same segment. `first`: the old ones by text
    (`first_by_text`).
    """
    text = text_name(condition)
    if any(mark is not None for _, mark in condition.completions(now.t_ms)):
        return old.get((text, segment), now)
    return first.get(text, now)


def in_force(leaf: Condition, segment: str, introductions: Introductions, fills: Fills) -> Condition:
    """Return a leaf as a plan asks it: with the memories of the cuts at which it and those inside it came in.

    It is a Pending while its history, or that of a condition inside it, is not whole.
    """

    def begun(condition: Condition) -> Condition:
        introduction = introductions.get((text_name(condition), segment)) if condition.looks_at_history else None
        if introduction is None:
            return condition
        cut, t_ms = introduction
        return condition.of_cut(cut, fills.get(cut, t_ms))

    guards: list[Guard] = []
    for condition in historic(leaf):
        introduction = introductions[text_name(condition), segment]
        if introduction is not None:
            cut, t_ms = introduction
            since_ms = fills.get(cut, t_ms)
            if since_ms is not None:
                parts = condition.completions(since_ms)
                guards += [Guard(cut, since_ms, complete_ms, mark, segment) for complete_ms, mark in parts]
    found = begun(leaf.with_inner(begun))
    return Pending(found, tuple(guards)) if guards else found

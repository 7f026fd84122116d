"""Rules: conditions and groups, nested freely, in Kleene's three-valued logic (docs/language.md, groups).

A group is *at least n of* its parts: `all` asks for every one, `any` for one, `none` is the denial of `any`. A part
without a verdict is neither true nor false. A group has no verdict where its parts with a verdict do not decide it.

A group never looks again too late. While enough of its true parts stay true it stays decided, so of the true parts the
n-th longest decides when to look again.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, Node, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.kinds import keywords, kind_of
from rules.conditions.view import View
from rules.ground.instants import FOREVER
from rules.language.problems import DefinitionReader
from rules.language.value_test import FALSE, TRUE


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Group(Node):
    """Several parts, and how they decide together."""

    __slots__ = ("asked", "parts")
    keyword: ClassVar[str]

    def __init__(self, parts: tuple[Node, ...]) -> None:
        self.parts = parts
        """In document order: reasons name them by their index."""
        self.asked = tuple(sorted(parts, key=_cost))
        """The cheapest first: a part that decides for ever ends the look."""

    def part_path(self, path: str, index: int) -> str:
        """Return the path of a part, as reasons name it: `enter.all[0]`."""
        return f"{path}.{self.keyword}[{index}]"

    def with_parts(self, parts: tuple[Node, ...]) -> "Group":
        """Return the same group of other parts."""
        return type(self)(parts)

    def conditions(self) -> Iterator[Condition]:
        """Walk the leaves in document order."""
        for part in self.parts:
            yield from part.conditions()

    def with_leaves(self, change: Callable[[Condition], Node]) -> Node:
        """Return the same group of changed leaves."""
        return self.with_parts(tuple(part.with_leaves(change) for part in self.parts))

    def describe(self) -> str:
        """`all of (in segment a; everyone)`."""
        return f"{self.keyword} of ({'; '.join(part.describe() for part in self.parts)})"


def _cost(node: Node) -> int:
    """Return what asking a part costs: registers and memberships before folded states, groups last."""
    if not isinstance(node, Condition):
        return 2
    return 0 if node.memory is None and not node.parts else 1


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class AllOf(Group):
    """Holds when every part does."""

    __slots__ = ()
    keyword = "all"

    def verdict(self, view: View) -> Verdict:
        """False as long as one false part stays so; a part that is false for ever ends the look."""
        return _decided(self.asked, view, False)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class AnyOf(Group):
    """Holds when a part does."""

    __slots__ = ()
    keyword = "any"

    def verdict(self, view: View) -> Verdict:
        """True as long as one true part stays so."""
        return _decided(self.asked, view, True)


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class NoneOf(Group):
    """Holds when no part does."""

    __slots__ = ()
    keyword = "none"

    def verdict(self, view: View) -> Verdict:
        """The denial of `any`."""
        holds, next_ms = _decided(self.asked, view, True)
        return (None if holds is None else not holds), next_ms


def _decided(parts: tuple[Node, ...], view: View, decisive: bool) -> Verdict:
    """Combine verdicts: one part equal to `decisive` settles the group."""
    found, open_ = False, False
    found_ms, all_ms = -FOREVER, FOREVER
    for part in parts:
        holds, next_ms = part.verdict(view)
        if holds is decisive:
            if next_ms >= FOREVER:
                return TRUE if decisive else FALSE
            found = True
            if next_ms > found_ms:
                found_ms = next_ms
        elif not found:
            if holds is None:
                open_ = True
            if next_ms < all_ms:
                all_ms = next_ms
    if found:
        return decisive, found_ms
    return (None if open_ else not decisive), all_ms


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class AtLeastOf(Group):
    """Holds when at least n of its parts do."""

    __slots__ = ("n",)
    keyword = "at_least_of"

    def __init__(self, n: int, parts: tuple[Node, ...]) -> None:
        super().__init__(parts)
        self.n = n

    def verdict(self, view: View) -> Verdict:
        """True while n true parts stay so, false while too many false ones do, otherwise open."""
        true: list[int] = []
        false: list[int] = []
        open_: list[int] = []
        for part in self.parts:
            holds, next_ms = part.verdict(view)
            (open_ if holds is None else true if holds else false).append(next_ms)
        if len(true) >= self.n:
            return True, sorted(true, reverse=True)[self.n - 1]
        spare = len(self.parts) - self.n
        if spare < 0:
            return FALSE
        if len(false) > spare:
            return False, sorted(false, reverse=True)[spare]
        return None, min(true + false + open_)

    def describe(self) -> str:
        """`at least 2 of (…)`."""
        return f"at least {self.n} of ({'; '.join(part.describe() for part in self.parts)})"

    def part_path(self, path: str, index: int) -> str:
        """As `enter.at_least_of.of[2]`."""
        return f"{path}.at_least_of.of[{index}]"

    def with_parts(self, parts: tuple[Node, ...]) -> "Group":
        """Return the same group of other parts."""
        return AtLeastOf(self.n, parts)


_GROUPS: Final[Mapping[str, Callable[[tuple[Node, ...]], Group]]] = {"all": AllOf, "any": AnyOf, "none": NoneOf}
GROUP_KEYWORDS: Final = (*_GROUPS, "at_least_of")


def read_rule(reader: DefinitionReader, context: RuleContext) -> Node | None:
    """Read a condition or a group, and all inside it; None if anything is wrong, every problem recorded."""
    if not reader.mapping("a condition or a group: a mapping like {trait: NAME, equals: VALUE} or {all: […]}"):
        return None
    value = reader.value
    for keyword, make in _GROUPS.items():
        if keyword in value:
            inside = context.inside_none() if keyword == "none" else context
            parts = _read_parts(reader, keyword, inside) if _alone(reader, keyword) else None
            return None if parts is None else make(parts)
    if "at_least_of" in value:
        return _read_at_least(reader.down("at_least_of"), context) if _alone(reader, "at_least_of") else None
    kind = kind_of(value)
    if kind is None:
        _unknown_kind(reader)
        return None
    if context.rule == "restriction" and not kind.refuses:
        reader.problem("'refuse' must be a trait or a consent condition")
        return None
    return kind.read(reader, context, read_rule)


def _unknown_kind(reader: DefinitionReader) -> None:
    """Record that no key tells a kind, at the first key."""
    known = [*keywords(), *GROUP_KEYWORDS]
    first = next(iter(reader.value))
    reader.down(first).problem(f"{first!r} is no kind of condition or group", name=str(first), known=known)


def _alone(reader: DefinitionReader, keyword: str) -> bool:
    """Check that a group's keyword is the only key of its mapping."""
    others = [key for key in reader.value if key != keyword]
    for key in others:
        reader.down(key).problem(f"{key!r} cannot stand beside {keyword!r}: put it into the group")
    return not others


def _read_parts(reader: DefinitionReader, keyword: str, context: RuleContext) -> tuple[Node, ...] | None:
    here = reader.down(keyword)
    if not isinstance(here.value, list):
        here.problem(f"{here.name} must be a list of conditions and groups")
        return None
    if not here.value:
        here.problem(f"{here.name} must not be empty")
        return None
    parts = tuple(part for part in (read_rule(item, context) for item in here.items()) if part is not None)
    return parts if len(parts) == len(here.value) else None


def _read_at_least(reader: DefinitionReader, context: RuleContext) -> AtLeastOf | None:
    if not reader.mapping("a mapping like {n: 2, of: […]}") or not reader.keys(["n", "of"], ["n", "of"]):
        return None
    parts = _read_parts(reader, "of", context)
    n = reader.down("n")
    if isinstance(n.value, bool) or not isinstance(n.value, int) or n.value < 1:
        n.problem("'n' must be an integer of at least 1")
        return None
    return None if parts is None else AtLeastOf(n.value, parts)


def leaves(node: Node, path: str, negated: bool = False) -> Iterator[tuple[str, Condition, bool]]:
    """Walk the leaves in document order: path (`enter.all[0]`), leaf, whether under an odd number of `none`."""
    if isinstance(node, Group):
        inner = negated != isinstance(node, NoneOf)
        for index, part in enumerate(node.parts):
            yield from leaves(part, node.part_path(path, index), inner)
    elif isinstance(node, Condition):
        yield path, node, negated

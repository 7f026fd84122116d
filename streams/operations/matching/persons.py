"""From accepted pairs to persons: who stands for whom, and what cannot be one person."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rules.language.validation import nearest
from streams.operations.errors import WrongInput
from streams.operations.matching.candidates import Pair
from streams.operations.matching.npi import is_npi
from streams.operations.matching.table import Line

SUBJECTS_MAX: Final = 50
"""Subjects that one person may have: more are a mistake, as a shared mailbox that was taken for a person's."""
ROWS_TOLD: Final = 8
"""Rows of one person that a sentence names."""


class Nonsense(WrongInput):
    """What was accepted cannot be one person, or says two things."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person or organisation. `canonical`: stands for all; `others`: the subjects that it stands for, sorted."""

    canonical: str
    others: tuple[str, ...]


def persons(
    lines: Sequence[Line],
    linked: Mapping[str, str],
    *,
    canonical: Sequence[str],
    organisations: Collection[str],
    erased: Collection[str] = (),
) -> list[Person]:
    """Return the persons that the accepted pairs make, with the links that stand already. Sorted by canonical subject.

    `linked`: alias to the subject that it stands for; persons without an accepted pair are left alone. `canonical`:
    kinds, the one that stands for others first. `erased`: subjects that were. Raises Nonsense; it names rows and no
    subject.
    """
    refused = [line for line in lines if line.decision == "refuse"]
    places = {line.pair: line.place for line in reversed(lines) if line.decision == "accept"}
    standing = {_pair(*each) for each in linked.items()} - {line.pair for line in refused}
    for pair, place in places.items():
        if pair[0] in erased or pair[1] in erased:
            raise Nonsense(f"{place}: one of this pair was erased, and what is told of the other would be in nothing")
    told = {subject for pair in places for subject in pair}
    places = {**dict.fromkeys(sorted(standing), "the links that stand already"), **places}
    groups = [group for group in _groups(places) if not told.isdisjoint(group)]
    _expect_kinds(canonical, groups)
    npis = _npis(lines)
    group_of = {each: number for number, group in enumerate(groups) for each in group}
    joined: list[dict[Pair, str]] = [{} for _ in groups]
    for pair, place in places.items():
        if pair[0] in group_of:
            joined[group_of[pair[0]]][pair] = place
    for group, joins in zip(groups, joined, strict=True):
        _expect_one(group, joins, npis, organisations)
    for line in refused:
        one, other = (group_of.get(each) for each in line.pair)
        if one is not None and one == other:
            raise Nonsense(
                f"{line.place}: this pair is refused, but accepted pairs make the two one; refuse one of those, too"
            )
    heads = set(linked.values()) - linked.keys()
    return sorted((_person(group, canonical, heads) for group in groups), key=lambda each: each.canonical)


def _expect_kinds(canonical: Sequence[str], groups: Sequence[Sequence[str]]) -> None:
    """See that the kinds of --canonical are there: a misspelt one would choose another subject."""
    kinds = {_kind(each) for group in groups for each in group}
    for kind in canonical:
        if kinds and kind not in kinds:
            raise WrongInput(f"--canonical: no accepted subject is of the kind {kind!r}{nearest(kind, kinds)}")


def _groups(pairs: Iterable[Pair]) -> list[list[str]]:
    """Return the subjects that pairs join, each group sorted, by their first."""
    joined: dict[str, set[str]] = {}
    for one, other in pairs:
        left, right = joined.setdefault(one, {one}), joined.setdefault(other, {other})
        if left is not right:
            small, large = sorted((left, right), key=len)
            large |= small
            for each in small:
                joined[each] = large
    return sorted({id(group): sorted(group) for group in joined.values()}.values())


def _expect_one(
    group: Sequence[str],
    joined: Mapping[Pair, str],
    npis: Mapping[str, frozenset[str]],
    organisations: Collection[str],
) -> None:
    """See that subjects can be one person or organisation. `joined`: the pairs that join them, with their places."""
    place = next(iter(joined.values()))
    if len(group) > SUBJECTS_MAX:
        raise Nonsense(
            f"{place}: with other accepted pairs, this one makes a person of {len(group)} subjects; more than"
            f" {SUBJECTS_MAX} are a mistake: refuse the pairs that do not belong together"
        )
    for (one, other), where in joined.items():
        if (_kind(one) in organisations) != (_kind(other) in organisations):
            raise Nonsense(f"{where}: this pair makes a person and an organisation one: refuse it")
    if _kind(group[0]) in organisations:
        return
    borne = {npi for each in group for npi in npis.get(each, ())}
    if len(borne) > 1:
        direct = [
            where for (one, other), where in joined.items() if len(npis.get(one, _NONE) | npis.get(other, _NONE)) > 1
        ]
        if direct:
            raise Nonsense(f"{direct[0]}: this pair makes one person with two NPIs: refuse it")
        rows = list(dict.fromkeys(reversed([*joined.values()])))
        told = "; ".join(rows[:ROWS_TOLD]) + (f"; {len(rows) - ROWS_TOLD:,} more" if len(rows) > ROWS_TOLD else "")
        raise Nonsense(f"{told}: these pairs together make one person with two NPIs: refuse the wrong one")


_NONE: Final[frozenset[str]] = frozenset()


def _npis(lines: Iterable[Line]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for line in lines:
        for subject, npis in zip(line.pair, line.npis, strict=True):
            name = subject.partition(":")[2]
            found[subject] |= npis | ({name} if is_npi(name) else set())
    return found


def _person(group: Sequence[str], canonical: Sequence[str], heads: Collection[str]) -> Person:
    """Choose who stands for the others: by kind, then who does so already, then by NPI, then by code points."""

    def rank(subject: str) -> tuple[int, bool, bool, str]:
        kind = _kind(subject)
        place = canonical.index(kind) if kind in canonical else len(canonical)
        return place, subject not in heads, not is_npi(subject.partition(":")[2]), subject

    chosen = min(group, key=rank)
    return Person(chosen, tuple(each for each in group if each != chosen))


def _kind(subject: str) -> str:
    return subject.partition(":")[0]


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)

"""The instants at which a verdict may flip. There are far more than needed, so that none is missed.

Every verdict compares the instant of the evaluation with a known instant plus lengths from the definitions. So this
module takes all sums of one known instant and up to two lengths of one condition, and the milliseconds on either side.
Only a decaying score flips elsewhere. Between two neighbouring instants a score can only fall, so halving finds the
place. `tests/naive/test_naive.py` compares these instants with a walk through every millisecond.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from tests.naive.conditions import Condition, Sight, covered_until, truth
from tests.naive.membership import sight
from tests.naive.pending import Era
from tests.naive.profile import Profile
from tests.naive.reading import conditions, mappings, strings
from tests.naive.times import FIVE_MINUTES_MS, duration, instant, length, rounded_up


def instants(profile: Profile, era: Era, after: int, before: int) -> list[int]:
    """List instants strictly between two, in order. Nothing of the profile flips at any other instant there."""
    base = known_instants(profile, era)
    found = {after + 1, before - 1}
    for segment in era.approved_order:
        definition = era.catalogue.segments[segment]
        for name in ("min_stay", "max_stay", "reenter_after"):
            if duration(definition.get(name, "")) is not None:
                found |= sums(base, [length(definition[name])], after, before)
        for rule in ("enter", "exit"):
            for condition, odd in conditions(definition[rule]) if rule in definition else ():
                seen = replace(sight(profile, era, segment, rule, after), odd=odd)
                ends = coverage_ends(condition, era.knowing(profile, segment, condition, seen))
                found |= sums(base | ends, lengths(condition), after, before)
    for refuse in (era.catalogue.policy.get("restrictions") or {}).values():
        found |= sums(base, lengths(refuse), after, before)
    for cap in era.caps:
        found |= sums(base, [cap.within], after, before)
    return add_crossings(profile, era, sorted(one for one in found if after < one < before))


def known_instants(profile: Profile, era: Era) -> set[int]:
    """Collect the instants from which something can be counted."""
    found = {0}
    recalled = [one for facts in profile.histories.values() for one in facts.values()]
    for one in (*profile.known, *recalled):
        found.add(one.event.time)
        found |= {value for value in (*one.event.data.values(), *one.event.sets.values()) if type(value) is int}
    found |= {stay.entered_at for stay in profile.stays.values()} | set(profile.last_exit.values())
    wholes = [*(one.since for one in (*era.before, era)), *profile.filled.values()]
    found |= {since + late for since in wholes if since is not None for late in (0, FIVE_MINUTES_MS)}
    written = [*(era.catalogue.segments[segment] for segment in era.approved_order), era.catalogue.policy]
    written += [era.catalogue.activations[name] for name in era.approved_activations]
    found |= {at for value in written for text in strings(value) if (at := instant(text)) is not None}
    buckets = {length(value["bucket"]) for definition in written for value in mappings(definition) if "bucket" in value}
    # a bucketed window begins in a bucket; "late enough" is decided at the first millisecond of that bucket
    opened = {rounded_up(one, bucket) - bucket + 1 for one in found for bucket in buckets}
    return found | opened | {rounded_up(one, bucket) for one in found for bucket in buckets}


def lengths(value: object) -> list[int]:
    """Collect every length that occurs anywhere in a condition."""
    return sorted({found for text in strings(value) if (found := duration(text)) is not None})


def sums(base: set[int], steps: list[int], after: int, before: int) -> set[int]:
    """Add no, one or two of the lengths to each instant; include the neighbouring milliseconds."""
    offsets = {0, *steps, *(one + other for one in steps for other in steps)}
    near = {at + offset for offset in offsets for at in base if after - 1 <= at + offset <= before + 1}
    return {at + side for at in near for side in (-1, 0, 1)}


def coverage_ends(condition: Condition, seen: Sight) -> set[int]:
    """Return the ends of a coverage: each is a sum of many lengths that stand in the events."""
    if "covered" not in condition:
        return set()
    end = covered_until(condition, seen)
    return set() if end is None else {end}


def scores(era: Era) -> Iterator[tuple[str, str, Condition, bool]]:
    """Walk the scores of the rules, those in a `when` first: (segment, rule, score, under an odd number of `none`)."""
    for segment in era.approved_order:
        for rule in ("enter", "exit"):
            if rule in era.catalogue.segments[segment]:
                for condition, odd in reversed(list(conditions(era.catalogue.segments[segment][rule]))):
                    if "score" in condition:
                        yield segment, rule, condition, odd


def add_crossings(profile: Profile, era: Era, found: list[int]) -> list[int]:
    """Add the instants at which a score falls below its threshold between two neighbouring instants."""
    for segment, rule, condition, odd in scores(era):

        def high(t: int) -> bool:
            return truth(condition, replace(sight(profile, era, segment, rule, t), odd=odd)) is True  # noqa: B023

        for start, end in list(pairwise(found)):
            if end - start > 1 and (fallen := crossing(high, start, end - 1)):
                found = sorted({*found, fallen})
    return found


def crossing(high: Callable[[int], bool], start: int, end: int) -> int | None:
    """Halve [start, end] to the first instant at which the score no longer holds. None: it does not fall there."""
    if not high(start) or high(end):
        return None
    while end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if high(middle) else (start, middle)
    return end

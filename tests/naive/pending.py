"""Eras: a catalogue with the cuts before it, and the conditions without a verdict (docs/language.md, Pending)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tests.naive.conditions import (
    HISTORY,
    Condition,
    Known,
    Place,
    Sight,
    counts_from,
    kind_of,
    settings,
    uses_exit_mark,
)
from tests.naive.profile import Profile
from tests.naive.reading import Cap, Catalogue, conditions
from tests.naive.times import FIVE_MINUTES_MS, date, instant, length, rounded_up

CHANGES = ("enter", "exit", "min_stay", "max_stay", "reenter_after", "parent", "markets")


@dataclass(frozen=True)
class Era:
    """A catalogue in force from the instant `since` on. `before`: the earlier eras, oldest first."""

    catalogue: Catalogue
    since: int | None
    before: Sequence["Era"]
    remembering: bool
    """Whether its conditions know all that came before the cut (they do not with `--as-live`)."""

    @cached_property
    def variants(self) -> "dict[Any, Era]":
        """The eras as they govern profiles outside of pilots (tests/naive/pilots.py)."""
        return {}

    @property
    def ordinal(self) -> int:
        """Count the cuts up to and including the era's own."""
        return len(self.before)

    @cached_property
    def approved_order(self) -> list[str]:
        """List the segments that are evaluated, by rank and id."""
        return [segment for segment in self.order if self.catalogue.approved(segment)]

    @cached_property
    def order(self) -> list[str]:
        """List the segments that a visit looks at, by rank and id. Retired and missing segments have their old rank."""
        ranks = {segment: self.catalogue.rank(segment) for segment in self.catalogue.segments}
        if self.before:
            old = self.before[-1].catalogue
            ranks |= {segment: old.rank(segment) for segment in old.segments if not self.catalogue.approved(segment)}
        return sorted(ranks, key=lambda segment: (ranks[segment], segment))

    @cached_property
    def refusals(self) -> dict[str, list[Condition]]:
        """Map each segment to the `refuse` conditions of its restriction classes."""
        return {
            segment: [rule for rule in self.catalogue.restrictions(segment).values() if rule is not None]
            for segment in self.catalogue.segments
        }

    @cached_property
    def approved_activations(self) -> list[str]:
        """List the activations to decide, by id."""
        return sorted(
            name for name, definition in self.catalogue.activations.items() if definition["status"] == "approved"
        )

    @cached_property
    def activation_restrictions(self) -> dict[str, dict[str, Condition | None]]:
        """Map each activation to its restriction classes and their `refuse` conditions."""
        return {name: self.catalogue.activation_restrictions(name) for name in self.approved_activations}

    @cached_property
    def caps(self) -> list[Cap]:
        """List every frequency cap: of the policy, and of the activations to decide."""
        return [
            *self.catalogue.policy_caps(),
            *(
                cap
                for name in self.approved_activations
                for version in self.catalogue.activation_versions(name)
                for cap in self.catalogue.caps_of(name, version)
            ),
        ]

    @cached_property
    def counted(self) -> dict[tuple[str, str], int]:
        """Map each (field, value) by which some cap counts messages to its longest window in ms."""
        return {
            (of, value): max(cap.within for cap in self.caps if (cap.of, cap.value) == (of, value))
            for of, value, _, _ in self.caps
        }

    def remembers(self, one: Known, cap: Cap) -> bool:
        """Tell whether a message from before a cut still counts. Without history, it must have been counted then."""
        if self.remembering or not self.before or one.era == self.ordinal:
            return True
        old = self.before[-1]
        reach = old.counted.get((cap.of, cap.value))
        return reach is not None and one.event.time > began_at(self) - reach and old.remembers(one, cap)

    @cached_property
    def introduced(self) -> "dict[tuple[str, str, int, bool], Era | None]":
        """The results of `pending_since` by the place of a condition; they depend on the definitions alone."""
        return {}

    def definition(self, segment: str) -> Mapping[str, Any]:
        """Return the definition of a segment, or its old definition when it is gone."""
        catalogues = [self.catalogue, *(era.catalogue for era in reversed(self.before))]
        found: Mapping[str, Any] = next(one.segments[segment] for one in catalogues if segment in one.segments)
        return found

    def changed(self, segment: str) -> bool:
        """Tell whether the cut changed an approved segment."""
        old = self.before[-1].catalogue
        if not old.approved(segment) or f"segment {segment}" in old.ungoverned:
            return True
        return told_apart(old, segment) != told_apart(self.catalogue, segment)

    def look(self, profile: Profile, segment: str, condition: Condition, sight: Sight) -> Sight | None:
        """Give the sight of one condition: what it knows of a profile. None: it has no verdict yet."""
        began = self.pending_since(segment, condition, sight.rule, sight.odd)
        seen = self.knowing(profile, segment, condition, sight)
        if began is None or profile.born >= began.ordinal:
            return seen
        whole_since = profile.filled.get(began_at(began), began_at(began))
        whole = whole_since is None or profile.born_at >= whole_since or complete(condition, seen, whole_since)
        return seen if whole else None

    def knowing(self, profile: Profile, segment: str, condition: Condition, sight: Sight) -> Sight:
        """Give the sight of one condition: what it knows of a profile, whether it has a verdict or not."""
        began = self.pending_since(segment, condition, sight.rule, sight.odd)
        if began is None:
            return replace(sight, facts=profile.known, starts_known=always)
        return known_after(profile, began, condition, sight)

    def pending_since(self, segment: str, condition: Condition, rule: str, odd: bool) -> "Era | None":
        """Return the era since which the approved segments always had an equal condition. None: it is not pending."""
        if kind_of(condition) not in HISTORY:
            return None
        place = (segment, rule, id(condition), odd)
        if place not in self.introduced:
            self.introduced[place] = self.look_back(segment, condition, rule, odd)
        return self.introduced[place]

    def look_back(self, segment: str, condition: Condition, rule: str, odd: bool) -> "Era | None":
        """Go back over the cuts while each catalogue has an equal condition that counts from an equal mark."""
        began = self
        marks = marks_of(condition, Place(self.catalogue, rule, self.catalogue.forgets(segment), odd))
        while began.before and began.before[-1].had(segment, condition, marks):
            began = began.before[-1]
        return None if began.since is None or began.remembering else began

    def had(self, segment: str, condition: Condition, marks: list[str]) -> bool:
        """Tell whether its approved segments have an equal condition. With a mark, only `segment` itself is asked."""
        return any(
            condition == other and marks == marks_of(other, Place(self.catalogue, rule, forgets, odd))
            for name in self.approved_order
            if name == segment or not any(marks)
            for version in self.catalogue.versions(name)
            for forgets in ["exit" in version or "max_stay" in version]
            for rule in ("enter", "exit")
            if rule in version
            for other, odd in conditions(version[rule])
        )


def always(trait: str, at: int) -> bool:
    """Say that the value of every trait is known at every instant."""
    return True


def known_after(profile: Profile, began: Era, condition: Condition, sight: Sight) -> Sight:
    """Give the sight of a condition that came in at the cut of an era without its history.

    It knows the facts that came after the cut and those that a history of that cut brought. Held and changed know also
    the setting of their trait that stood at the cut.
    """
    at = began_at(began)
    whole_since = profile.filled.get(at, at)
    name = condition.get("trait", condition.get("changed"))
    stood = [one for one in profile.known if one.era < began.ordinal and name in one.event.sets][-1:]
    facts = profile.facts(began.ordinal, at, stood)
    brought = [one for one in facts if one.arrival < 0 and name in one.event.sets]
    whole = whole_since is None or profile.born_at >= whole_since
    doubtful = any(one in facts for one in stood) or bool(brought and not whole)

    def starts_known(trait: str, start: int) -> bool:
        first = min((one.time for one in settings(trait, facts)), default=start)
        return not doubtful or first <= max(start, profile.known[0].event.time)

    return replace(sight, facts=facts, starts_known=starts_known)


def began_at(era: Era) -> int:
    """Return the instant of the cut that began an era."""
    assert era.since is not None
    return era.since


def told_apart(catalogue: Catalogue, segment: str) -> list[Any]:
    """List the parts of a segment whose change makes it a changed segment."""
    definition = catalogue.segments[segment]
    audience = (definition.get("layers") or {}).get("audience")
    return [*(definition.get(name) for name in CHANGES), audience, catalogue.restrictions(segment)]


def marks_of(condition: Condition, place: Place) -> list[str]:
    """List the marks that a condition, or each event of a score, counts from; "" for no mark."""
    return [
        "entry" if part.get("since") == "entry" else "exit" if uses_exit_mark(part, place) else ""
        for part in counting(condition)
    ]


def counting(condition: Condition) -> Iterator[Condition]:
    """Walk the parts of a condition that count events from a mark: itself, or the events of a score."""
    if "score" in condition:
        yield from (part for part in condition["score"] if "event" in part)
    elif not ("trait" in condition or "changed" in condition or "absent" in condition):
        yield condition


def complete(condition: Condition, sight: Sight, cut: int) -> bool:
    """Tell whether a condition that was new at a cut sees all its events: by its window, or by its mark."""
    if "score" in condition:
        # the `when` conditions are asked on their own
        return all(part_complete(part, sight, cut) for part in condition["score"] if "event" in part)
    return part_complete(condition, sight, cut)


def part_complete(part: Condition, sight: Sight, cut: int) -> bool:
    """Tell whether the window begins late enough after the cut, or the mark was set at the cut or later."""
    if part in list(counting(part)):
        mark = counts_from(part, sight)
        if mark is not None and mark.set_at >= cut:
            return True
    late_enough = cut + FIVE_MINUTES_MS
    since = part.get("since")
    if since is not None and instant(since) is not None and date(since) >= late_enough:
        return True  # dates compare the event's own time, with or without a bucket
    begins = [sight.t - length(part[name]) for name in ("within", "for") if name in part]
    if "bucket" in part:
        late_enough = rounded_up(late_enough, length(part["bucket"]))
    return any(one >= late_enough for one in begins)

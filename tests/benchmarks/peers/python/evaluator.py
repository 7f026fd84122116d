"""One profile of the load: its state and an event in, its changes out. Pure, and the same for every framework.

A profile is one JSON value:

    known, latest, traits   the facts (`segments.Facts`)
    slots      {segment: [member, boundary_ms, memory]}: boundary_ms is the next instant at which time alone changes the
               membership, or 0
    next_ms    the smallest boundary; 0: none
    sequence   how many changes there were

An event at R first fires the profile's own boundaries before R, each at its own instant; then it is folded, and what
it touches is evaluated at R. `pass_time` fires boundaries without an event, for a framework that has timers.

`indexed` finds the touched segments by event type, topic and trait value. Without it every segment is asked about every
event: the plain loop that most people write first. Both give the same changes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks.peers.python.segments import NEVER, UPDATED, Absence, Facts, Segment, Trait, segments_of
from tests.benchmarks.peers.python.wire import Change, Event


class Profile(Facts):
    """The state of one profile."""

    slots: dict[str, list[Any]]
    next_ms: int
    sequence: int


def new_profile() -> Profile:
    """Return the state of a profile that nothing is known of."""
    return Profile(known=NEVER, latest={}, traits={}, slots={}, next_ms=0, sequence=0)


class Evaluator:
    """Evaluates the segments of one plan. It keeps no profile."""

    def __init__(self, plan: Mapping[str, Any], *, indexed: bool) -> None:
        """Take the load's plan as plain data."""
        self._segments = segments_of(plan)
        self._by_key = {one.key: one for one in self._segments}
        self._indexed = indexed
        absences = [one for one in self._segments if isinstance(one, Absence)]
        traits = [one for one in self._segments if isinstance(one, Trait)]
        self._absences = [one.key for one in absences]
        self._traits = {one.trait for one in traits}
        self._absent: dict[str, list[str]] = defaultdict(list)
        for absence in absences:
            self._absent[absence.absent].append(absence.key)
        self._by_value: dict[tuple[str, Any], list[str]] = defaultdict(list)
        for trait in traits:
            for value in trait.values:
                self._by_value[trait.trait, value].append(trait.key)
        self._wanted = _wanted(self._segments)

    def apply(self, profile: Profile, event: Event, r_ms: int) -> list[Change]:
        """Fold an event whose record stands at `r_ms`, and evaluate. Changes the profile; returns its changes."""
        changes = self.pass_time(profile, event.subject, r_ms - 1) if 0 < profile["next_ms"] < r_ms else []
        touched = self._fold(profile, event)
        if profile["next_ms"] and profile["next_ms"] <= r_ms:
            touched.update(_due(profile, r_ms))
        if touched:
            self._settle(profile, event.subject, touched, r_ms, changes, event.name)
        return changes

    def pass_time(self, profile: Profile, subject: str, until_ms: int) -> list[Change]:
        """Fire the boundaries up to an instant, each at its own. Changes the profile; returns its changes."""
        changes: list[Change] = []
        while 0 < (at_ms := profile["next_ms"]) <= until_ms:
            self._settle(profile, subject, _due(profile, at_ms), at_ms, changes, "")
        return changes

    def _fold(self, profile: Profile, event: Event) -> set[str]:
        """Fold an event; returns the keys of the segments whose span may have changed."""
        touched: set[str] = set()
        slots = profile["slots"]
        if event.time_ms < profile["known"]:
            profile["known"] = event.time_ms
            touched.update(key for key in self._absences if key in slots)
        latest = profile["latest"]
        if event.type in self._absent and event.time_ms > latest.get(event.type, 0):
            latest[event.type] = event.time_ms
            touched.update(key for key in self._absent[event.type] if key in slots)
        if event.type == UPDATED:
            touched.update(self._fold_traits(profile, event))
        for segment in self._wanting(event):
            slot = slots.get(segment.key)
            if slot is None:
                slot = slots[segment.key] = [False, 0, []]
            segment.fold(slot[2], event)
            touched.add(segment.key)
        return touched if self._indexed else touched | slots.keys()

    def _wanting(self, event: Event) -> Iterable[Segment]:
        """Find the segments with a filter that admits the event."""
        if not self._indexed:
            return [
                one
                for one in self._segments
                if (one.match is not None and one.match.admits(event))
                or (one.then is not None and one.then.admits(event))
            ]
        wanted = self._wanted.get((event.type, event.data.get("topic")))
        if wanted is None:
            return ()
        score = event.data.get("score", -1)
        return [segment for at_least, segment in wanted if score >= at_least]

    def _fold_traits(self, profile: Profile, event: Event) -> set[str]:
        """Set the traits that an update names."""
        touched: set[str] = set()
        traits = profile["traits"]
        for trait in self._traits & event.data.keys():
            setting, before = [event.time_ms, event.name, event.data[trait]], traits.get(trait)
            if before is not None and before[:2] >= setting[:2]:
                continue
            traits[trait] = setting
            if before is None or before[2] != setting[2]:
                touched.update(self._by_value.get((trait, setting[2]), ()))
                touched.update(() if before is None else self._by_value.get((trait, before[2]), ()))
        return touched

    def _settle(
        self, profile: Profile, subject: str, touched: Collection[str], at_ms: int, changes: list[Change], event: str
    ) -> None:
        """Evaluate these segments at an instant, by id: add the changes, and set the next boundaries."""
        slots, next_ms, lost = profile["slots"], profile["next_ms"], False
        for key in sorted(touched, key=int) if len(touched) > 1 else touched:
            segment, slot = self._by_key[key], slots.get(key)
            begin, end = segment.span(slot[2] if slot else [], profile)
            holds = begin <= at_ms < end
            if slot is None:
                if not holds:
                    continue
                slot = slots[key] = [False, 0, []]
            if holds != slot[0]:
                slot[0] = holds
                profile["sequence"] += 1
                changes.append(Change(subject, segment.id, holds, at_ms, profile["sequence"], event))
            boundary = end if holds else begin if begin > at_ms else 0
            before, slot[1] = slot[1], 0 if boundary == NEVER else boundary
            lost = lost or 0 < before == next_ms != slot[1]
            if slot[1] and (not next_ms or slot[1] < next_ms):
                next_ms = slot[1]
            if not (holds or slot[1] or slot[2]):
                del slots[key]
        # all are asked only if the smallest boundary is no longer there
        profile["next_ms"] = min((slot[1] for slot in slots.values() if slot[1]), default=0) if lost else next_ms


def _due(profile: Profile, at_ms: int) -> set[str]:
    """Return the segments whose boundary has come."""
    return {key for key, slot in profile["slots"].items() if 0 < slot[1] <= at_ms}


def _wanted(segments: Sequence[Segment]) -> Mapping[tuple[str, Any], list[tuple[float, Segment]]]:
    """Index the filters: (event type, topic) → least score and segment. A segment may stand there twice."""
    found: dict[tuple[str, Any], list[tuple[float, Segment]]] = defaultdict(list)
    for segment in segments:
        for each in (segment.match, segment.then):
            for topic in each.topics if each is not None else ():
                found[each.type, topic].append((each.at_least, segment))  # type: ignore[union-attr]
    return dict(found)

"""Every condition of docs/language.md, from the full history. None means no verdict (see Pending there)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from tests.naive import operators
from tests.naive.decode import Event, withdrawal
from tests.naive.reading import Catalogue, types_named
from tests.naive.times import date, instant, length, rounded_up

ENTRIES_MAX = 512
Verdict = bool | None
Condition = Mapping[str, Any]


class Known(NamedTuple):
    """An event as a profile knows it. `arrival` numbers the profile's events in record order, from 1.

    `era` is the number of cuts before its record. Facts of a history have numbers below 0: they are later than no
    mark of their own time.
    """

    event: Event
    arrival: int
    era: int


class Mark(NamedTuple):
    """The mark of a change: the greatest event time known then, the number of events so far, and when it was set."""

    time: int
    arrivals: int
    set_at: int

    def precedes(self, known: Known) -> bool:
        """Tell whether an event comes after the mark."""
        return known.event.time > self.time or (known.event.time == self.time and known.arrival > self.arrivals)


@dataclass(frozen=True)
class Sight:
    """Everything that a rule of one segment may look at, at one instant."""

    t: int
    catalogue: Catalogue
    known: Sequence[Known]
    """The facts of the profile, in the order of (time, source, id). Traits, consent and known-since look at these."""
    facts: Sequence[Known]
    """What the condition in question knows, in the same order. A cut and its filling make it differ from `known`."""
    starts_known: Callable[[str, int], bool]
    """Tells whether the value that a trait had at an instant is known to the condition in question."""
    rule: str
    """enter, exit or refuse."""
    forgets: bool
    """Whether the segment has exit or max_stay."""
    odd: bool
    """Whether the rule in question stands under an odd number of `none`."""
    entry_mark: Mark | None
    exit_mark: Mark | None
    entered_at: int | None
    """Of the segment's present stay; None while the profile is out."""
    members: Mapping[str, int]
    """Every segment that the profile is in → the effective_at of its entry."""
    look: Callable[[Condition, "Sight"], "Sight | None"]
    """Gives the sight of one condition that looks at history. None: it has no verdict yet after a cut."""

    @property
    def known_since(self) -> int:
        """The smallest time of the profile's events."""
        return self.known[0].event.time


def truth(rule: Condition, sight: Sight) -> Verdict:
    """Give the verdict of a rule: a group or a condition."""
    if "all" in rule:
        return at_least_of([truth(item, sight) for item in rule["all"]], len(rule["all"]))
    if "any" in rule:
        return at_least_of([truth(item, sight) for item in rule["any"]], 1)
    if "none" in rule:
        found = at_least_of([truth(item, replace(sight, odd=not sight.odd)) for item in rule["none"]], 1)
        return None if found is None else not found
    if "at_least_of" in rule:
        group = rule["at_least_of"]
        return at_least_of([truth(item, sight) for item in group["of"]], group["n"])
    seen = sight.look(rule, sight)
    return None if seen is None else KINDS[kind_of(rule)](rule, seen)


def at_least_of(verdicts: list[Verdict], n: int) -> Verdict:
    """Kleene logic: true with n true verdicts, false when n can no longer be reached, else unknown (None)."""
    if verdicts.count(True) >= n:
        return True
    return False if verdicts.count(True) + verdicts.count(None) < n else None


def kind_of(rule: Condition) -> str:
    """Name the kind of a condition."""
    kind = next(name for name in KINDS if name in rule)
    return "held" if kind == "trait" and "for" in rule else kind


# ---------------------------------------------------------------- which events count


def matching(step: Any, where: Any, sight: Sight) -> list[Known]:
    """List the events that a condition knows, of one of the types, that satisfy `where`, in order."""
    names = types_named(step)
    return [one for one in sight.facts if matches(one.event, names, where, sight.catalogue)]


def matches(event: Event, names: list[str], where: Any, catalogue: Catalogue) -> bool:
    """Tell whether an event has one of the types and satisfies `where`. Ages in `where` are at the event's own time."""
    return event.type in names and all(
        operators.holds(tests, event.data.get(path), catalogue.attribute_type(event.type, path), event.time)
        for path, tests in (where or {}).items()
    )


def counts_from(condition: Condition, sight: Sight) -> Mark | None:
    """Return the mark that a condition counts from; None: no mark."""
    since = condition.get("since")
    if since == "entry":
        return sight.entry_mark
    place = Place(sight.catalogue, sight.rule, sight.forgets, sight.odd)
    return sight.exit_mark if uses_exit_mark(condition, place) else None


class Place(NamedTuple):
    """The place of a condition, as far as it decides which mark the condition counts from."""

    catalogue: Catalogue
    rule: str
    forgets: bool
    odd: bool


def uses_exit_mark(condition: Condition, place: Place) -> bool:
    """Tell whether the latest exit's mark limits a windowed condition: by `since`, or by default as evidence."""
    if place.rule != "enter" or not place.forgets or "absent" in condition:
        return False
    if condition.get("since") in ("ever", "entry", "exit"):
        return bool(condition["since"] == "exit")
    return holds_of_nothing(condition, place.catalogue) == place.odd


def holds_of_nothing(condition: Condition, catalogue: Catalogue) -> bool:
    """Tell whether a condition holds when there are no events at all."""
    if "points" in condition:
        return False
    if "aggregate" in condition:
        path, how = condition["of"], condition["aggregate"]
        kind = catalogue.attribute_type(types_named(condition["event"])[0], path) if how in ("min", "max") else "number"
        tests = {name: operand for name, operand in condition.items() if name != "older_than"}
        return operators.holds(tests, 0 if how in ("sum", "distinct") else None, kind, 0)
    return "event" in condition and counted(condition, 0)


def in_window(condition: Condition, one: Known, sight: Sight) -> bool:
    """Tell whether a known event lies in the window of a condition. Where several windows are given, all must apply."""
    time = one.event.time
    moved = rounded_up(time, length(condition["bucket"])) if "bucket" in condition else time
    since, until = condition.get("since"), condition.get("until")
    mark = counts_from(condition, sight)
    return (
        ("within" not in condition or moved > sight.t - length(condition["within"]))
        and ("older_than" not in condition or moved <= sight.t - length(condition["older_than"]))
        and (since is None or instant(since) is None or time >= date(since))
        and ("covered" in condition or until is None or time < date(until))
        and (mark is None or mark.precedes(one))
    )


def windowed(condition: Condition, kind: str, sight: Sight) -> list[Known]:
    """List the events that a condition counts: they match, are still remembered, and lie in the window."""
    found = matching(condition[kind], condition.get("where"), sight)
    if "aggregate" in condition:
        kind = sight.catalogue.attribute_type(types_named(condition["event"])[0], condition["of"])
        found = [one for one in found if operators.of_type(one.event.data.get(condition["of"]), kind)]
    if "bucket" not in condition:
        found = found[-ENTRIES_MAX:]
    return [one for one in found if in_window(condition, one, sight)]


# ---------------------------------------------------------------- traits


class Setting(NamedTuple):
    """One setting of a trait: its event, and the value set."""

    time: int
    value: Any


def settings(trait: str, facts: Sequence[Known]) -> list[Setting]:
    """List the settings of a trait among some facts, in the order of (time, source, id)."""
    return [Setting(one.event.time, one.event.sets[trait]) for one in facts if trait in one.event.sets]


def trait_value(trait: str, sight: Sight) -> Any:
    """Return the value of a trait; None: no value."""
    found = settings(trait, sight.known)
    return found[-1].value if found else None


def trait(condition: Condition, sight: Sight) -> bool:
    """Trait: the operators hold for the trait's value."""
    name = condition["trait"]
    return operators.holds(condition, trait_value(name, sight), sight.catalogue.traits[name]["type"], sight.t)


def held(condition: Condition, sight: Sight) -> Verdict:
    """Held: the operators held at every millisecond of [t − D, t]. Both ends of each stretch of one value are asked."""
    start = sight.t - length(condition["for"])
    if sight.known_since > start:
        return False
    if not sight.starts_known(condition["trait"], start):
        return None
    if not trait(condition, sight):
        return False
    kind = sight.catalogue.traits[condition["trait"]]["type"]
    past = [one for one in settings(condition["trait"], sight.facts) if one.time < sight.t]
    stretches = [(-math.inf, None), *past]
    for (since, value), (until, _) in zip(stretches, [*stretches[1:], (sight.t, None)], strict=True):
        first, last = max(since, start), until - 1
        if first <= last and not all(operators.holds(condition, value, kind, int(u)) for u in (first, last)):
            return False
    return True


def changed(condition: Condition, sight: Sight) -> Verdict:
    """Changed: two consecutive settings have different values, `from` and `to` fit, and the later is in the window."""
    if not sight.starts_known(condition["changed"], sight.t - length(condition["within"])):
        return None
    found = settings(condition["changed"], sight.facts)
    kind = sight.catalogue.traits[condition["changed"]]["type"]
    return any(
        not alike(before.value, after.value)
        and side_fits(condition, "from", before.value, kind)
        and side_fits(condition, "to", after.value, kind)
        and after.time > sight.t - length(condition["within"])
        for before, after in pairwise(found)
    )


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values (or none) are the same."""
    return one is other if one is None or other is None else operators.same(one, other)


def side_fits(condition: Condition, side: str, value: Any, kind: str) -> bool:
    """Tell whether a value fits `from` or `to`. An omitted side fits any value but none; null fits none."""
    if side not in condition:
        return value is not None
    wanted = condition[side]
    if wanted is not None and kind == "datetime":
        wanted = date(wanted)
    return alike(value, tuple(wanted) if isinstance(wanted, list) else wanted)


# ---------------------------------------------------------------- events


def event(condition: Condition, sight: Sight) -> bool:
    """Event: the number of matching events in the window fits `count`."""
    return counted(condition, len(windowed(condition, "event", sight)))


def counted(condition: Condition, n: int) -> bool:
    """Tell whether a number of events fits a condition's count."""
    tests = condition.get("count", {"at_least": 1})
    return all(
        {
            "at_least": lambda wanted: n >= wanted,
            "at_most": lambda wanted: n <= wanted,
            "exactly": lambda wanted: n == wanted,
            "between": lambda wanted: wanted[0] <= n <= wanted[1],
        }[name](wanted)
        for name, wanted in tests.items()
    )


def last(condition: Condition, sight: Sight) -> bool:
    """Last: the operators hold for the latest matching event in the window. Times are compared with t."""
    found = windowed(condition, "last", sight)
    if not found:
        return False
    latest = found[-1].event
    return all(
        operators.holds(tests, latest.data.get(path), sight.catalogue.attribute_type(latest.type, path), sight.t)
        for path, tests in condition["is"].items()
    )


def absent(condition: Condition, sight: Sight) -> bool:
    """Absent: the window has no matching event, and the profile was observed for all of it."""
    looking_since = sight.entered_at if sight.rule == "exit" else sight.known_since
    if looking_since is None or looking_since > sight.t - length(condition["within"]):
        return False
    return not windowed(condition, "absent", sight)


def aggregate(condition: Condition, sight: Sight) -> bool:
    """Aggregate: the operators hold for a sum, a mean, …; `older_than` is the window here."""
    path, how = condition["of"], condition["aggregate"]
    values = [one.event.data[path] for one in windowed(condition, "event", sight)]
    kind = sight.catalogue.attribute_type(types_named(condition["event"])[0], path)
    value: Any
    if how == "distinct":
        value = len({item for found in values for item in (found if isinstance(found, tuple) else [found])})
    elif how == "sum":
        value = math.fsum(values)
    elif not values:
        value = None
    elif how == "mean":
        value = math.fsum(values) / len(values)
    else:
        value = (min if how == "min" else max)(values)
    tests = {name: operand for name, operand in condition.items() if name != "older_than"}
    return operators.holds(tests, value, kind if how in ("min", "max") else "number", sight.t)


def covered(condition: Condition, sight: Sight) -> bool:
    """Covered: t is before the end of the filled supply plus the gap."""
    end = covered_until(condition, sight)
    return end is not None and sight.t < end + (length(condition["gap"]) if "gap" in condition else 0)


def covered_until(condition: Condition, sight: Sight) -> int | None:
    """Return the end of the filled supply; None: nothing was filled."""
    end: int | None = None
    for one in windowed(condition, "covered", sight):
        time = one.event.time
        filled = one.event.data.get(condition["days"] if "days" in condition else condition["until"])
        if filled is None or filled <= (0 if "days" in condition else time):
            continue
        if "until" in condition:
            end = filled if end is None else max(end, filled)
            continue
        days = math.floor(filled * 86400000)
        if condition.get("overlap", "add") == "add":
            end = (time if end is None else max(end, time)) + days
        else:
            end = time + days if end is None else max(end, time + days)
    return end


def score(condition: Condition, sight: Sight) -> Verdict:
    """Score: the decayed points of its events, plus the points of its conditions that hold."""
    points: list[float] = []
    for part in condition["score"]:
        if "when" in part:
            verdict = truth(part["when"], sight)
            if verdict is None:
                return None
            points += [part["points"]] if verdict else []
            continue
        for one in windowed(part, "event", sight):
            time = one.event.time
            if "half_life" in part:
                moved = rounded_up(time, length(part["bucket"])) if "bucket" in part else time
                points.append(part["points"] * 2.0 ** (-max(0, sight.t - moved) / length(part["half_life"])))
            else:
                points.append(part["points"])
    return bool(math.fsum(points) >= condition["at_least"])


# ---------------------------------------------------------------- sequences


@dataclass(frozen=True)
class Step:
    """A step of a sequence: what matches it, whether it is a `not`, and its limits after the last matched event."""

    types: list[str]
    where: Any
    absent: bool
    within: int | None
    after: int | None


def steps_of(condition: Condition) -> list[Step]:
    """Read the steps, written as a type, a list of types or a mapping."""
    return [step_of(written) for written in condition["sequence"]]


def step_of(written: Any) -> Step:
    """Read one step."""
    if not isinstance(written, Mapping):
        return Step(types_named(written), None, False, None, None)
    within, after = (length(written[name]) if name in written else None for name in ("within", "after"))
    if "not" in written:
        inner = step_of(written["not"])
        return Step(inner.types, inner.where, True, within, None)
    return Step(types_named(written["event"]), written.get("where"), False, within, after)


def sequence(condition: Condition, sight: Sight) -> bool:
    """Sequence: at least one assignment of distinct events to the steps fits."""
    steps = steps_of(condition)
    wanted = [one for one in sight.facts if any(fits(step, one, sight) for step in steps)][-ENTRIES_MAX:]
    mark = counts_from(condition, sight)
    counted = [one for one in wanted if mark is None or mark.precedes(one)]
    return assigned(steps, [], [one for one in counted if in_date(condition, one)], counted, condition, sight)


def in_date(condition: Condition, one: Known) -> bool:
    """Tell whether an event lies within the dates of a sequence. A sequence without dates admits every event."""
    since, until = condition.get("since"), condition.get("until")
    return (since is None or instant(since) is None or one.event.time >= date(since)) and (
        until is None or one.event.time < date(until)
    )


def fits(step: Step, one: Known, sight: Sight) -> bool:
    """Tell whether an event matches a step."""
    return matches(one.event, step.types, step.where, sight.catalogue)


def assigned(
    steps: list[Step], taken: list[Known], events: list[Known], counted: list[Known], condition: Condition, sight: Sight
) -> bool:
    """Try every event for the first remaining step, then recurse. `taken`: the events matched so far."""
    nots = steps[: index_of_positive(steps)]
    if nots and not all(quiet(step, taken[-1], counted, sight) for step in nots):
        return False
    rest = steps[len(nots) :]
    if not rest:
        return True
    step = rest[0]
    for one in events:
        time = one.event.time
        if (
            any(one.arrival == other.arrival for other in taken)
            or not fits(step, one, sight)
            or time <= sight.t - length(condition["within"])
        ):
            continue
        if taken:
            gap = time - taken[-1].event.time
            if gap < max([0, step.after or 0, *(quieter.within or 0 for quieter in nots)]):
                continue
            if step.within is not None and gap >= step.within:
                continue
        if assigned(rest[1:], [*taken, one], events, counted, condition, sight):
            return True
    return False


def index_of_positive(steps: list[Step]) -> int:
    """Return the index of the first step that is not a `not`."""
    return next((index for index, step in enumerate(steps) if not step.absent), len(steps))


def quiet(step: Step, before: Known, counted: list[Known], sight: Sight) -> bool:
    """Tell whether a `not` holds at t: its time is over, and no other matching event came within that time."""
    assert step.within is not None
    x = before.event.time
    return sight.t >= x + step.within and not any(
        fits(step, one, sight) and x <= one.event.time < x + step.within
        for one in counted
        if one.arrival != before.arrival
    )


# ---------------------------------------------------------------- memberships, consent, time


def segment(condition: Condition, sight: Sight) -> bool:
    """Segment: the profile is a member, and has been one for long enough."""
    since = sight.members.get(condition["segment"])
    return since is not None and ("for" not in condition or since <= sight.t - length(condition["for"]))


def consent(condition: Condition, sight: Sight) -> bool:
    """Consent: the latest consent event for the channel and purpose decides.

    At equal times a withdrawal wins, of grants the one that ends first. A grant is withdrawn from its `until` on.
    """
    wanted = condition["consent"]["channel"], condition["consent"]["purpose"]
    said: list[tuple[int, float]] = []
    for one in sight.known:
        granted = one.event.type == "consent.granted"
        scope = (one.event.data["channel"], one.event.data["purpose"]) if granted else withdrawal(one.event)
        if scope is not None and all(given in (asked, "all") for given, asked in zip(scope, wanted, strict=True)):
            # a withdrawal is a grant that ended before all others
            said.append((one.event.time, -one.event.data.get("until", math.inf) if granted else math.inf))
    found = ("granted" if sight.t < -max(said)[1] else "withdrawn") if said else "unknown"
    return bool(found == condition.get("is", "granted"))


def during(condition: Condition, sight: Sight) -> bool:
    """During: from ≤ t < until."""
    span = condition["during"]
    return ("from" not in span or date(span["from"]) <= sight.t) and (
        "until" not in span or sight.t < date(span["until"])
    )


def everyone(condition: Condition, sight: Sight) -> bool:
    """Everyone: always."""
    return True


# `aggregate` comes before `event`: an aggregate condition also has an `event` key
KINDS: dict[str, Callable[[Condition, Sight], Verdict]] = {
    "everyone": everyone,
    "trait": trait,
    "held": held,
    "changed": changed,
    "aggregate": aggregate,
    "event": event,
    "last": last,
    "absent": absent,
    "sequence": sequence,
    "covered": covered,
    "score": score,
    "segment": segment,
    "consent": consent,
    "during": during,
}
HISTORY = ("event", "last", "absent", "sequence", "aggregate", "covered", "score", "held", "changed")

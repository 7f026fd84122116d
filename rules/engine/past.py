"""History that a record brings: `segue.history` and `segue.filled` (docs/language.md, Filling).

A record of history makes the facts of one profile known to the conditions that came in at one cut without their
history, and to nothing else. Two things are beyond that, for a worker's own fills. A record that names `traits` also
sets these traits: the dictionary of the cut declares them anew. The values wait until the cut is filled, so that nobody
enters by them earlier. And the records of a partition's first cut bring all facts as the profile's own, and begin the
profiles that are not known yet: the log is older than its first catalogue.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final, NamedTuple

from rules.conditions.consent import CONSENT_EVENTS
from rules.conditions.view import Register
from rules.engine.decode import Own, decode_again, is_subject
from rules.engine.folds import NO_FOLDS, Fold
from rules.engine.persons.part import Part
from rules.engine.plan import Plan
from rules.engine.profile import NEVER, Profile
from rules.ground.event import Event
from rules.ground.instants import parse_instant
from rules.language.dictionary import NO_FACTS, Dictionary

HISTORY_TYPE: Final = "segue.history"
"""The type of the record that brings facts of one profile from before a cut."""
FILLED_TYPE: Final = "segue.filled"
"""The type of the record that says that all of a cut's history is there."""
FIRST_CUT: Final = 1
"""Ordinal of a partition's first cut."""
_INSTANT_MAX_MS: Final = 1 << 53


class History(NamedTuple):
    """What a record of history says."""

    subject: str
    cut_ms: int
    events: list[Any]
    """CloudEvents, unchecked."""
    traits: frozenset[str]
    """Traits to set besides, where the cut declared them anew."""


class Filled(NamedTuple):
    """What the end of a fill says."""

    cut_ms: int
    since_ms: int | None
    """The instant from which on the log was whole; None: it was whole from its beginning."""


def read_history(own: Own) -> History | None:
    """Read a record of history; None: it is another record, or does not say what it must."""
    data = own.data
    if own.type != HISTORY_TYPE or data.__class__ is not dict:
        return None
    cut_ms, events, traits = _instant(data.get("cut")), data.get("events"), data.get("traits")
    if cut_ms is None or events.__class__ is not list or not is_subject(own.subject):
        return None
    named = frozenset(each for each in traits if each.__class__ is str) if traits.__class__ is list else frozenset()
    return History(own.subject, cut_ms, events, named)


def read_filled(own: Own) -> Filled | None:
    """Read the end of a fill; None: it is another record, or does not say what it must."""
    data = own.data
    if own.type != FILLED_TYPE or data.__class__ is not dict:
        return None
    cut_ms, since = _instant(data.get("cut")), data.get("since")
    since_ms = _instant(since)
    if cut_ms is None or (since_ms is None and since is not None):
        return None
    return Filled(cut_ms, since_ms)


def _instant(value: Any) -> int | None:
    """Read an instant: epoch milliseconds or RFC 3339; None: it is none."""
    if value.__class__ is str:
        try:
            return parse_instant(value)
        except ValueError:
            return None
    if value.__class__ is float and value.is_integer():
        value = int(value)
    return value if value.__class__ is int and abs(value) <= _INSTANT_MAX_MS else None


def facts_of(history: History, dictionary: Dictionary, r_ms: int) -> Iterator[Event]:
    """Decode the facts, in order. Bad ones, those of other subjects, redeliveries, links and erasures are skipped."""
    seen: set[tuple[int, str, str]] = set()
    for each in history.events:
        event = decode_again(each, dictionary, r_ms)
        if event is None or event.subject != history.subject or event.type in NO_FACTS:
            continue
        name = event.time_ms, event.source, event.id
        if name not in seen:
            seen.add(name)
            yield event


def take_in(
    profile: Profile | Part, plan: Plan, facts: Iterable[Event], cuts: Mapping[int, Set[str]], r_ms: int
) -> int:
    """Fold facts into the memories of the conditions that came in at some cuts; return what that can move.

    `cuts`: by ordinal, the traits that the facts set for it besides. The mask is of segments and activations. The
    profile has been brought over to `plan`; of one that met a link, its own part takes the facts.
    """
    of_cuts = {*cuts}
    first = FIRST_CUT in of_cuts
    if first:
        of_cuts.add(0)
    mask = 0
    for event in facts:
        if first:
            mask |= _own_fact(profile, plan, event)
        for trait, value in event.sets:
            setting = Register(event.time_ms, event.source, event.id, value)
            if first:
                mask |= _set(profile, plan, trait, setting, of_cuts)
            elif setting_cuts := {cut for cut, traits in cuts.items() if trait in traits}:
                mask |= _set(profile, plan, trait, setting, setting_cuts)
            for fold in plan.setting_folds.get(trait, ()):
                if fold.memory.cut in of_cuts:
                    state = profile.states.get(fold.state_key)
                    mask |= _moved(profile, fold, fold.memory.fold_past_setting(state, trait, setting, r_ms))
        for fold in plan.folds.get(event.type, NO_FOLDS).of(event):
            if fold.memory.cut in of_cuts:
                mask |= _moved(profile, fold, fold.memory.fold_past(profile.states.get(fold.state_key), event, r_ms))
    return mask


def begin(subject: str, plan: Plan, facts: list[Event], first_ms: int) -> Profile:
    """Begin a profile with facts from before the first cut, at `first_ms`; there is one fact at least.

    It is evaluated for the first time when the first cut is filled, or by its next event.
    """
    profile = Profile(subject, plan.ordinal, facts[0].time_ms, first_ms)
    profile.born_cut = FIRST_CUT
    profile.evaluated_ms = NEVER
    return profile


def begin_again(profile: Profile, first_ms: int) -> None:
    """Let a profile without facts, which met a link or an erasure, become known by facts from before the first cut.

    `first_ms`: the instant of that cut. It is evaluated for the first time as one that `begin` makes.
    """
    profile.born_cut, profile.born_ms = FIRST_CUT, first_ms
    profile.evaluated_ms = NEVER


def _moved(profile: Profile | Part, fold: Fold, state: Any) -> int:
    """Keep a state; return what it can move if it is another."""
    if state is profile.states.get(fold.state_key):
        return 0
    profile.states[fold.state_key] = state
    return fold.moves_mask


def _own_fact(profile: Profile | Part, plan: Plan, event: Event) -> int:
    """Take an event from before the first cut for one of the profile's own, its settings left out."""
    mask = 0
    if event.time_ms > profile.latest_ms:
        profile.latest_ms = event.time_ms
    if event.time_ms < profile.known_since_ms:
        profile.known_since_ms = event.time_ms
        mask |= plan.known_since_mask
    if event.type in CONSENT_EVENTS and profile.fold_consent(event):
        mask |= plan.consent_mask
    return mask


def _set(profile: Profile | Part, plan: Plan, trait: str, setting: Register, cuts: set[int]) -> int:
    """Set a trait, if nothing later has set it; before the cut is filled, hold the setting back."""
    waiting = [cut for cut in cuts if cut not in (0, FIRST_CUT) and cut not in plan.fills]
    if waiting and profile.held_back is None:
        profile.held_back = {}
    for cut in waiting:
        assert profile.held_back is not None
        held = profile.held_back.setdefault(cut, {})
        if trait not in held or held[trait][:3] < setting[:3]:
            held[trait] = setting
    if waiting:
        return 0
    return plan.trait_masks.get(trait, 0) if profile.set_later(trait, setting) else 0


def release(profile: Profile | Part, plan: Plan) -> int:
    """Set the traits that were held back for cuts which are filled now; return the mask of what that can move.

    Traits that are not declared any more are dropped.
    """
    mask = 0
    declared = plan.catalogue.dictionary.traits
    left: dict[int, dict[str, Register]] = {}
    for cut, held in (profile.held_back or {}).items():
        known = {trait: setting for trait, setting in held.items() if trait in declared}
        if cut not in plan.fills:
            left |= {cut: known} if known else {}
            continue
        for trait, setting in known.items():
            if profile.set_later(trait, setting):
                mask |= plan.trait_masks.get(trait, 0)
    profile.held_back = left or None
    return mask

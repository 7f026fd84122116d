"""The condition `consent`: what a profile said last about a channel and a purpose."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.consent_keys import ConsentDefinition, ConsentState
from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives, OneOf
from rules.conditions.kind import Kind
from rules.conditions.mention import Mention, WalkRule
from rules.conditions.scene import Judge, Scene, Word
from rules.conditions.view import Consents, Facts, Grant, View, Withdrawal
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.dictionary import GRANTED, REPLIED, WITHDRAWN
from rules.language.problems import DefinitionReader
from rules.language.validation import Path
from rules.language.value_test import FALSE, TRUE

STATES: Final = frozenset(get_args(ConsentState))
ALL: Final = "all"
"""As a channel or a purpose: every channel, every purpose."""


CONSENT_EVENTS: Final = frozenset({GRANTED, WITHDRAWN, REPLIED})
"""The types of events that can say something about consent."""
_NOTHING_SAID: Final[tuple[None, None]] = None, None
STOP_WORDS: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
"""Replies that withdraw consent to their channel, for all purposes."""


def consent_of(event: Event) -> tuple[str, str, bool] | None:
    """Return (channel, purpose, whether granted) as an event of CONSENT_EVENTS says it; None: it says nothing."""
    channel = str(event.data.get("channel", ALL))
    if event.type == REPLIED:
        stops = str(event.data.get("text", "")).strip().upper() in STOP_WORDS
        return (channel, ALL, False) if stops else None
    return channel, str(event.data.get("purpose", ALL)), event.type == GRANTED


def fold_consent(consents: Consents, event: Event) -> bool:
    """Fold an event of CONSENT_EVENTS into a profile's consents; return whether anything moved.

    The latest of each kind stands, so that order and duplicates do not matter.
    """
    said = consent_of(event)
    if said is None:
        return False
    channel, purpose, granted = said
    key = channel, purpose
    grant, withdrawal = consents.get(key, _NOTHING_SAID)
    if granted:
        until: Any = event.data.get("until")
        new = Grant(event.time_ms, event.source, event.id, until)
        if later_grant(grant, new) is grant:
            return False
        consents[key] = new, withdrawal
    else:
        told = Withdrawal(event.time_ms, event.source, event.id)
        if withdrawal is not None and withdrawal >= told:
            return False
        consents[key] = grant, told
    return True


def later_grant(one: Grant | None, other: Grant | None) -> Grant | None:
    """Return the grant that decides: the later one, of one time the one that ends first, then the later by identity."""
    if one is None or other is None:
        return other if one is None else one
    return one if _rank(one) >= _rank(other) else other


def _rank(grant: Grant) -> tuple[int, int, str, str]:
    ends_ms = FOREVER if grant.until_ms is None else grant.until_ms
    return grant.time_ms, -ends_ms, grant.source, grant.id


def join_consents(consents: Sequence[Consents]) -> Consents:
    """Return what all of them say together: commutative, associative, idempotent."""
    found: Consents = {}
    for each in consents:
        for key, (grant, withdrawal) in each.items():
            known_grant, known_withdrawal = found.get(key, _NOTHING_SAID)
            found[key] = (
                later_grant(known_grant, grant),
                max((one for one in (known_withdrawal, withdrawal) if one is not None), default=None),
            )
    return found


def consents_later(consents: Consents, after_ms: int) -> Consents:
    """Return what was said later than an instant. What is kept is the latest, so nothing is missing in it."""
    found: Consents = {}
    for key, (grant, withdrawal) in consents.items():
        kept = (
            None if grant is None or grant.time_ms <= after_ms else grant,
            None if withdrawal is None or withdrawal.time_ms <= after_ms else withdrawal,
        )
        if kept != _NOTHING_SAID:
            found[key] = kept
    return found


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Consent(Condition):
    """The latest consent event for the channel and the purpose decides; none: unknown.

    At equal times a withdrawal decides, of grants the one that ends first. A grant is withdrawn from its end on.
    """

    kind = "consent"
    reads_consent = True

    def __init__(self, definition: Any, channel: str, purpose: str, state: ConsentState) -> None:
        self.definition = definition
        self._keys = tuple({(c, p): None for c in (channel, ALL) for p in (purpose, ALL)})
        self._channel, self._purpose, self._state = channel, purpose, state
        self._text = f"consent to {purpose} by {channel} is {state}"

    def verdict(self, view: View) -> Verdict:
        """Ask the event that decides. Time alone changes one thing: a grant with an end is withdrawn from then on."""
        said = self.deciding(view.facts)
        if said is None:
            return TRUE if self._state == "unknown" else FALSE
        if said.__class__ is Withdrawal:
            return TRUE if self._state == "withdrawn" else FALSE
        until_ms = said.until_ms  # type: ignore[union-attr]
        if until_ms is None:
            return TRUE if self._state == "granted" else FALSE
        if view.t_ms >= until_ms:
            return TRUE if self._state == "withdrawn" else FALSE
        return self._state == "granted", until_ms

    def deciding(self, facts: Facts) -> Grant | Withdrawal | None:
        """Return the grant or the withdrawal that decides; None: nothing was said."""
        consents = facts.consents
        grant: Grant | None = None
        withdrawal: Withdrawal | None = None
        for key in self._keys:
            found = consents.get(key)
            if found is None:
                continue
            granted, withdrawn = found
            if granted is not None:
                grant = later_grant(grant, granted)
            if withdrawn is not None and (withdrawal is None or withdrawn > withdrawal):
                withdrawal = withdrawn
        if withdrawal is None or (grant is not None and grant.time_ms > withdrawal.time_ms):
            return grant
        return withdrawal

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the event that decides; one that an older version of the rules kept is only an instant."""
        said = self.deciding(view.facts)
        return [said[:3]] if said is not None and said.id else []

    def describe(self) -> str:
        """`consent to promotional by email is granted`."""
        return self._text

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say in which of its states the consent is."""
        asked = frozenset({self._state})
        variable = ("consent", self._channel, self._purpose)
        return [frozenset({OneOf(variable, asked if holds else STATES - asked)})]

    def words(self) -> Iterator[Word]:
        """The channel and the purpose."""
        yield Word("channel", self._channel, ("consent", "channel"))
        yield Word("purpose", self._purpose, ("consent", "purpose"))


def mentioned(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
    """Name the events that grant and withdraw."""
    for name in (GRANTED, WITHDRAWN):
        yield Mention("event", name, (*path, "consent"))


def read_consent(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Consent | None:
    """Read a consent condition."""
    keys = reader.model(ConsentDefinition)
    if keys is None:
        return None
    return Consent(reader.value, keys.consent.channel, keys.consent.purpose, keys.is_)


KIND: Final[Kind] = Kind("consent", Consent, read_consent, mentioned, refuses=True)

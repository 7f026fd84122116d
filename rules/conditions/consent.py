"""The condition `consent`: what a profile said last about a channel and a purpose."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives, OneOf
from rules.conditions.kind import Kind
from rules.conditions.mention import Mention, WalkRule
from rules.conditions.scene import Judge, Scene, Word
from rules.conditions.view import View
from rules.conditions.window import Definition
from rules.ground.event import Event
from rules.language.dictionary import GRANTED, REPLIED, WITHDRAWN
from rules.language.problems import DefinitionReader
from rules.language.validation import Name, Path
from rules.language.value_test import FALSE, TRUE

ConsentState: TypeAlias = Literal["granted", "withdrawn", "unknown"]
STATES: Final = frozenset(get_args(ConsentState))
ALL: Final = "all"
"""As a channel or a purpose: every channel, every purpose."""


CONSENT_EVENTS: Final = frozenset({GRANTED, WITHDRAWN, REPLIED})
"""The types of events that can say something about consent."""
STOP_WORDS: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
"""Replies that withdraw consent to their channel, for all purposes."""

Consents: TypeAlias = dict[tuple[str, str], tuple[int | None, int | None]]
"""By (channel, purpose), either may be ALL: the times of the latest grant and of the latest withdrawal."""


def consent_of(event: Event) -> tuple[str, str, bool] | None:
    """Return (channel, purpose, whether granted) as an event of CONSENT_EVENTS says it; None: it says nothing."""
    channel = str(event.data.get("channel", ALL))
    if event.type == REPLIED:
        stops = str(event.data.get("text", "")).strip().upper() in STOP_WORDS
        return (channel, ALL, False) if stops else None
    return channel, str(event.data.get("purpose", ALL)), event.type == GRANTED


def fold_consent(consents: Consents, event: Event) -> bool:
    """Fold an event of CONSENT_EVENTS into a profile's consents; return whether anything moved.

    The latest time of each kind stands, so that order and duplicates do not matter.
    """
    said = consent_of(event)
    if said is None:
        return False
    channel, purpose, granted = said
    key = channel, purpose
    times = consents.get(key, (None, None))
    latest = times[0] if granted else times[1]
    if latest is not None and latest >= event.time_ms:
        return False
    consents[key] = (event.time_ms, times[1]) if granted else (times[0], event.time_ms)
    return True


class ConsentSubject(Definition):
    """The channel and the purpose."""

    channel: Name
    purpose: Name


class ConsentDefinition(Definition):
    """`consent: {channel: C, purpose: P}, is: granted`."""

    consent: ConsentSubject
    is_: ConsentState = "granted"


class Consent(Condition):
    """The latest consent event for the channel and the purpose decides; at equal times a withdrawal; none: unknown."""

    kind = "consent"
    reads_consent = True

    def __init__(self, definition: Any, channel: str, purpose: str, state: ConsentState) -> None:
        self.definition = definition
        self._keys = tuple({(c, p): None for c in (channel, ALL) for p in (purpose, ALL)})
        self._channel, self._purpose, self._state = channel, purpose, state
        self._text = f"consent to {purpose} by {channel} is {state}"

    def verdict(self, view: View) -> Verdict:
        """Compare the latest grant with the latest withdrawal; time alone changes nothing."""
        granted, withdrawn = self._latest(view)
        if withdrawn is not None and (granted is None or withdrawn >= granted):
            state = "withdrawn"
        else:
            state = "unknown" if granted is None else "granted"
        return TRUE if state == self._state else FALSE

    def _latest(self, view: View) -> tuple[int | None, int | None]:
        consents = view.facts.consents
        granted = withdrawn = None
        for key in self._keys:
            found = consents.get(key)
            if found is None:
                continue
            if found[0] is not None and (granted is None or found[0] > granted):
                granted = found[0]
            if found[1] is not None and (withdrawn is None or found[1] > withdrawn):
                withdrawn = found[1]
        return granted, withdrawn

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


KIND: Final = Kind("consent", Consent, read_consent, mentioned, refuses=True)

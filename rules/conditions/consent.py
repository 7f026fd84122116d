"""The condition `consent`: what a profile said last of a channel and a purpose."""

from typing import Any, Final, Literal, TypeAlias

from rules.conditions.base import Condition, Place, ReadRule, Verdict
from rules.conditions.view import View
from rules.conditions.window import Definition
from rules.language.operators import FALSE, TRUE
from rules.language.problems import Name, Reader

ConsentState: TypeAlias = Literal["granted", "withdrawn", "unknown"]
ALL: Final = "all"
"""As a channel or a purpose: every one."""


class ConsentSubject(Definition):
    """Of what."""

    channel: Name
    purpose: Name


class ConsentDefinition(Definition):
    """`consent: {channel: C, purpose: P}, is: granted`."""

    consent: ConsentSubject
    is_: ConsentState = "granted"


class Consent(Condition):
    """The latest consent event for the channel and the purpose decides; at equal times a withdrawal; none: unknown."""

    kind = "consent"
    looks_at_history = False
    reads_consent = True

    def __init__(self, definition: Any, channel: str, purpose: str, state: ConsentState) -> None:
        self.definition = definition
        self._keys = tuple({(c, p): None for c in (channel, ALL) for p in (purpose, ALL)})
        self._state = state
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


def read_consent(reader: Reader, place: Place, nested: ReadRule) -> Consent | None:
    """Read a consent condition."""
    keys = reader.model(ConsentDefinition)
    if keys is None:
        return None
    return Consent(reader.value, keys.consent.channel, keys.consent.purpose, keys.is_)

"""Who is tied to what: of a subject's own affiliations the latest of each organisation and role decides."""

from collections.abc import Collection
from typing import Final

from rules.ground.event import Event
from rules.language.dictionary import ENDED, STARTED

AFFILIATIONS: Final = frozenset({STARTED, ENDED})
"""The types of the events that tie a subject to an organisation, and untie it."""
Tie = tuple[str, str]
"""(organisation, role)."""
Order = tuple[int, str, str]
"""(time, source, id)."""
TIES_MAX: Final = 512
"""Affiliations that a subject remembers: the latest, as many as a condition remembers (docs/language.md, Memory)."""


class Ties:
    """The ties of all subjects, from their own affiliations."""

    def __init__(self) -> None:
        self._decided: dict[str, dict[Tie, tuple[Order, bool]]] = {}
        """By subject and tie: the latest affiliation, and whether it ties."""
        self._tied: dict[str, dict[str, set[str]]] = {}
        """By organisation and subject: the roles."""

    def learn(self, event: Event) -> Tie | None:
        """Take an affiliation in; return the tie if its subject was not tied so, and now is."""
        tie = str(event.data["organisation"]), str(event.data["role"])
        decided = self._decided.setdefault(event.subject, {})
        order = event.time_ms, event.source, event.id
        was = decided.get(tie)
        if was is not None and was[0] >= order:
            return None
        before, now = was is not None and was[1], event.type == STARTED
        decided[tie] = order, now
        if len(decided) > TIES_MAX:
            forgotten = min(decided, key=lambda each: decided[each][0])
            if decided.pop(forgotten)[1] and forgotten != tie:
                self._untie(event.subject, forgotten)
            if forgotten == tie:
                return None
        if before == now:
            return None
        if now:
            self._tied.setdefault(tie[0], {}).setdefault(event.subject, set()).add(tie[1])
            return tie
        self._untie(event.subject, tie)
        return None

    def forget(self, subject: str) -> None:
        """Forget a subject that was erased."""
        for tie, (_, tied) in self._decided.pop(subject, {}).items():
            if tied:
                self._untie(subject, tie)

    def tied(self, organisation: str, roles: Collection[str]) -> list[str]:
        """List who is tied to an organisation in one of these roles, by subject."""
        found = self._tied.get(organisation, {})
        return sorted(subject for subject, held in found.items() if not held.isdisjoint(roles))

    def _untie(self, subject: str, tie: Tie) -> None:
        found = self._tied[tie[0]]
        found[subject].discard(tie[1])
        if not found[subject]:
            del found[subject]

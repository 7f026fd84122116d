"""The consent event that decides about an activation: what it said, when, under which name, and when it ends."""

from dataclasses import dataclass

from rules.conditions.consent import Consent
from rules.conditions.view import Grant, View
from rules.engine.profile import Profile
from rules.explain.persons import told_under
from rules.ground.instants import format_instant


@dataclass(frozen=True, slots=True)
class ConsentSaid:
    """The latest word on a channel and a purpose."""

    granted: bool
    """Whether it was a grant; one that has ended by itself is still a grant."""
    time_ms: int
    source: str
    id: str
    """"" where an older version of the rules took it in, which kept the time only."""
    until_ms: int | None = None
    """When the grant ends by itself."""
    subject: str | None = None
    """The subject under which it was told; None: the profile's own, or not known."""

    def text(self, t_ms: int) -> str:
        """Say it as it stands at an instant: `was withdrawn at 2026-03-01T00:00:00.000Z by /crm evt-9`."""
        by = f" by {self.source} {self.id}" if self.id else ""
        by += f", told of {self.subject}" if self.subject is not None else ""
        if not self.granted:
            return f"was withdrawn at {format_instant(self.time_ms)}{by}"
        given = f"granted at {format_instant(self.time_ms)}{by}"
        if self.until_ms is None:
            return f"was {given}"
        ends = "ended" if t_ms >= self.until_ms else "ends"
        return f"was {given}; it {ends} at {format_instant(self.until_ms)}"


def consent_said(consent: Consent, view: View, profile: Profile) -> ConsentSaid | None:
    """Return the consent event that decides; None: nothing was said. `profile`: the one that `view` sees."""
    said = consent.deciding(view.facts)
    if said is None:
        return None
    until_ms = said.until_ms if isinstance(said, Grant) else None
    [under] = told_under(profile, ((said.time_ms, said.source, said.id),)) or [None]
    return ConsentSaid(isinstance(said, Grant), said.time_ms, said.source, said.id, until_ms, under)

"""The identities of the events that a profile took in: what makes a redelivery known as one."""

from itertools import islice
from typing import Final, final

from msgspec import Raw

from rules.engine import layout
from rules.ground.instants import MS_PER_DAY

SEEN_MAX: Final = 512
"""Event identities that a profile recognises: as many as a condition remembers (docs/language.md, Memory)."""
SEEN_DAYS: Final = 7
"""Days for which a redelivery is recognised as such, if no more than SEEN_MAX other events came between."""
FEW: Final = 32
"""So many are packed anew each time: it takes no longer than to know which of them are packed."""


@final
class Identities:
    """Identity → day of its record, in order of arrival. Mutable: one profile, or a part of one, owns it.

    They are unpacked when somebody asks for them, and what is packed of them is kept while it stays the first of them:
    a busy profile has hundreds, and between two checkpoints a few come to them.
    """

    __slots__ = ("_days", "_gone", "_kept", "_packed")

    def __init__(self, packed: Raw | None = None) -> None:
        """Begin with what `pack` returned; None: with none."""
        self._days: dict[int, int] = {}
        self._packed: Raw | None = packed
        """All of them, while nobody asked for them yet."""
        self._kept = b""
        """The first of them packed, each in as many bytes; without those at its beginning …"""
        self._gone = 0
        """… that were forgotten since."""

    @property
    def days(self) -> dict[int, int]:
        """All of them. Do not change what is returned."""
        if self._packed is not None:
            self._days = layout.read_identities(self._packed)
            self._packed = None
        return self._days

    def recognises(self, identity: int, r_ms: int) -> bool:
        """Tell whether an event was seen before: not more than SEEN_DAYS before the day of its record.

        What `pack` may have dropped is not known in memory either: a restart changes nothing.
        """
        day = self.days.get(identity)
        return day is not None and day >= r_ms // MS_PER_DAY - SEEN_DAYS

    def remember(self, identity: int, r_ms: int) -> None:
        """Remember an event that is not recognised, at the cost of the one that came longest ago."""
        days = self.days
        if identity in days:
            del days[identity]
            self._keep(b"")
        if days and len(days) >= SEEN_MAX:
            del days[next(iter(days))]
            self._gone += 1
        days[identity] = r_ms // MS_PER_DAY

    def join(self, others: "Identities") -> None:
        """Remember those of another part, too."""
        self._days = self.days | others.days
        self._keep(b"")

    def copy(self) -> "Identities":
        """Return what can be changed apart from this one."""
        found = Identities()
        found._days = dict(self.days)
        return found

    def forget(self, t_ms: int) -> None:
        """Forget what is recognised no more at an instant."""
        days = self.days
        oldest = t_ms // MS_PER_DAY - SEEN_DAYS
        if days and next(iter(days.values())) < oldest:
            self._days = {identity: day for identity, day in days.items() if day >= oldest}
            self._keep(b"")

    def pack(self, t_ms: int) -> Raw:
        """Pack them, as `layout.pack_identities` does. Forgets those that are recognised no more at an instant."""
        self.forget(t_ms)
        days = self._days
        if not FEW <= len(days) <= layout.MAP_16_MAX:
            return layout.pack_identities(days)
        kept = self._kept[self._gone * layout.IDENTITY_BYTES :]
        count = len(days) - len(kept) // layout.IDENTITY_BYTES
        newest = list(islice(reversed(days), count))
        newest.reverse()
        body = kept + layout.pack_entries({identity: days[identity] for identity in newest})
        alike = len(body) == len(days) * layout.IDENTITY_BYTES
        for identity in newest:
            alike = alike and layout.is_usual(identity, days[identity])
        self._keep(body if alike else b"")
        return layout.as_map(len(days), body)

    def _keep(self, packed: bytes) -> None:
        self._kept, self._gone = packed, 0

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


@final
class Identities:
    """Identity → day of its record, in order of arrival. Mutable: one profile, or a part of one, owns it.

    Of a busy profile what was packed is kept while it stays the first of them: it has hundreds, and between two
    checkpoints a few come to them.
    """

    __slots__ = ("_days", "_gone", "_kept", "_packed", "_packs")

    def __init__(self, packed: Raw | None = None) -> None:
        """Begin with what `pack` returned; None: with none."""
        self._days: dict[int, int] = {}
        self._packed: Raw | None = packed
        """All of them, while nobody asked for them yet."""
        self._kept = b""
        """The first of them packed, each in IDENTITY_BYTES; without those at its beginning …"""
        self._gone = 0
        """… that were forgotten since."""
        self._packs = 0
        """How often they were packed whole since they were read."""

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
        kept = self._kept[self._gone * layout.IDENTITY_BYTES :]
        if not kept:
            return self._pack_whole()
        newest = list(islice(reversed(days), len(days) - len(kept) // layout.IDENTITY_BYTES))
        newest.reverse()
        new = {identity: days[identity] for identity in newest}
        body = kept + layout.pack_entries(new)
        self._keep(body if layout.are_usual(new) else b"")
        return layout.as_map(len(days), body)

    def _pack_whole(self) -> Raw:
        days = self._days
        packed = layout.pack_identities(days)
        self._packs += 1
        keeps = layout.is_worth_keeping(self._packs, len(days)) and layout.are_usual(days)
        self._keep(layout.entries_of(packed, len(days)) if keeps else b"")
        return packed

    def _keep(self, packed: bytes) -> None:
        self._kept, self._gone = packed, 0

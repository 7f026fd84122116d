"""The wakes and visits that a record passes: those due before it, in canonical order (docs/protocol.md)."""

from typing import Final

from rules.engine.outcome import Item, Need, NeedTurn, NeedWakes
from rules.engine.profiles import Profiles


class Wakes:
    """Fires what is due. It may stop half-way, where the queue is not complete, and goes on when it is called again."""

    __slots__ = ("_counted", "_portion", "_profiles")

    def __init__(self, profiles: Profiles, portion: int | None) -> None:
        """`portion`: how many fire before others are to have their turn; None: all."""
        self._profiles: Final = profiles
        self._portion: Final = portion
        self._counted: list[str] = []
        """Subjects whose wakes and visits count against the limit, before the record at hand."""

    def fire(self, before_ms: int, items: list[Item], limit: int | None, own: str) -> Need | None:
        """Fire the wakes due before an instant in canonical order, at most `limit` that publish.

        `own`: the subject of the event that passes them; its wakes do not count. "": there is none.
        Returns None when all have fired; else what must be given before the next of them.
        """
        profiles = self._profiles
        cuts, queue = profiles.cuts, profiles.queue
        fired = 0
        while limit is None or len(self._counted) < limit or self._give_back(own):
            top = queue.top()
            if top is None or top[0] >= before_ms:
                if len(cuts.plans) > 1:
                    cuts.let_go(before_ms, queue.horizon)
                return None if queue.complete_to((before_ms, "")) else NeedWakes(before_ms)
            if not queue.complete_to(top):
                return NeedWakes(before_ms)
            if fired == self._portion:
                return NeedTurn()
            fired += 1
            queue.drop_top()
            profile = profiles.by_subject[top[1]]
            visit = cuts.next_of(profile)
            before = profiles.changes_total
            profiles.fire(profile, items)
            visited = visit is not None and profile.cut == visit.ordinal
            if (visited and profile.is_known) or profiles.changes_total > before:
                self._counted.append(profile.subject)
            queue.enqueue(profile)
        return None

    def applied(self) -> None:
        """Note that the record at hand is applied: nothing counts before the next one."""
        if self._counted:
            self._counted = []

    def _give_back(self, own: str) -> bool:
        """At the limit: take off what counted of the record's own profile; tell whether that was anything."""
        others = [subject for subject in self._counted if subject != own]
        fewer, self._counted = len(others) < len(self._counted), others
        return fewer

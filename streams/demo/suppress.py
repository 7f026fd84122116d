"""A suppression, made to happen: now and then a profile that is active in a promotional journey begins something else.

Which profiles are active is heard from the channels' topics, as an e-mail platform would hear it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from streams.clock import SystemClock
from streams.demo.figures import Figures
from streams.demo.load import Load
from streams.demo.sources import Suppression

EVERY_S: Final = 0.7


class Suppressor:
    """Keeps who may be suppressed, and sends the event that does it."""

    def __init__(self, suppression: Suppression, catalogue: Catalogue) -> None:
        self._suppression = suppression
        self._suppressed = suppression.suppressed(catalogue)
        self._active: dict[str, set[str]] = {}
        """By profile: its activations that would end; who became active first stands first."""
        self._chosen: set[str] = set()

    def heard(self, change: Mapping[str, Any]) -> None:
        """Take in a change of an activation."""
        name, subject = change["activation"], change["profile"]
        if name not in self._suppressed or subject in self._chosen:
            return
        if change["change"] == "activated":
            self._active.setdefault(subject, set()).add(name)
        elif subject in self._active:
            self._active[subject].discard(name)
            if not self._active[subject]:
                del self._active[subject]

    def suppresses(self, change: Mapping[str, Any]) -> bool:
        """Tell whether a membership change is an entry by rule into the segment that suppresses."""
        entered = change["segment"] == self._suppression.segment and change["change"] == "entered"
        return bool(entered and change["reason"]["kind"] == "entry_rule")

    def take(self, named: str) -> str | None:
        """Return a profile that is active in an activation whose name ends so, and leave it alone from now on."""
        for subject, active in self._active.items():
            if any(each.endswith(named) for each in active):
                del self._active[subject]
                self._chosen.add(subject)
                return subject
        return None

    async def run(self, load: Load, figures: Figures) -> None:
        """Send such an event every now and then while events are played, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if figures.playing_s is None or figures.played_s or not self._active:
                continue
            subject = next(iter(self._active))
            del self._active[subject]
            self._chosen.add(subject)
            load.send_between(self._suppression.event(subject, len(self._chosen), SystemClock().wall_ms()))

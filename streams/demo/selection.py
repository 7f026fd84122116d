"""Which of the changes people see: more come than anybody can read, so every segment and activation has its turn."""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

from streams.demo.words import Line

NEW_S: Final = 1.5
"""Older changes are no longer shown: the newest lines stand at the bottom."""


class Selection:
    """Keeps the newest change of each segment and way; gives out the one whose segment was shown longest ago."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, bool], tuple[float, Line]] = {}
        self._shown: dict[tuple[str, bool], int] = {}
        self._turn = count(1)
        self._after_suppression = False

    def add(self, line: Line, now_s: float) -> None:
        """Offer a change."""
        self._newest[line.segment, line.entered] = (now_s, line)

    def take(self, now_s: float) -> Line | None:
        """Return a change and forget it; forget old changes too. None: there is nothing new."""
        self._newest = {key: found for key, found in self._newest.items() if found[0] > now_s - NEW_S}
        if not self._newest:
            return None
        # a suppression is what nobody may miss; but there is more to be seen
        preferred = (
            [] if self._after_suppression else [key for key, (_, line) in self._newest.items() if line.suppressed]
        )
        chosen = min(preferred or self._newest, key=lambda each: (self._shown.get(each, 0), each))
        self._shown[chosen] = next(self._turn)
        line = self._newest.pop(chosen)[1]
        self._after_suppression = line.suppressed
        return line


def interesting(change: Mapping[str, Any], overlay: str) -> bool:
    """Tell whether a change is worth explaining: several conditions behind it, or time alone; not the demo's own."""
    reason = change["reason"]
    return change["segment"] != overlay and (len(reason["conditions"]) > 1 or not reason["events"])

"""Which of the changes people see: more come than anybody can read, so every segment has its turn."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from streams.demo.words import Line


class Selection:
    """Keeps the newest change of each segment and way, and gives out those that were shown longest ago."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, bool], Line] = {}
        self._shown: dict[tuple[str, bool], int] = {}
        self._turn = count(1)

    def add(self, line: Line) -> None:
        """Offer a change."""
        self._newest[line.segment, line.entered] = line

    def take(self) -> Line | None:
        """Choose one and forget it; None: there is nothing new."""
        if not self._newest:
            return None
        chosen = min(self._newest, key=lambda each: (self._shown.get(each, 0), each))
        self._shown[chosen] = next(self._turn)
        return self._newest.pop(chosen)


def interesting(change: Mapping[str, Any], overlay: str) -> bool:
    """Tell whether a change is worth explaining: several conditions behind it, or time alone; not the demo's own."""
    reason = change["reason"]
    return change["segment"] != overlay and (len(reason["conditions"]) > 1 or not reason["events"])

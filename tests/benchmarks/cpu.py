"""CPU seconds of processes, from /proc."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
_SESSION, _USER, _CHILDREN_SYSTEM = 3, 11, 14
"""Fields of /proc/PID/stat after the name: the session, and the four times."""


def of_process(pid: int) -> float:
    """CPU seconds of one process and its dead children; 0 if there is no such process."""
    fields = _fields(Path(f"/proc/{pid}"))
    return _seconds(fields) if fields else 0.0


def of_session(leader: int) -> float:
    """CPU seconds of every process of a session."""
    found = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _fields(entry)
            if fields and int(fields[_SESSION]) == leader:
                found += _seconds(fields)
    return found


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two readings, by name."""
    return {name: round(after[name] - before.get(name, 0.0), 2) for name in after}


def _fields(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _seconds(fields: list[str]) -> float:
    return sum(int(ticks) for ticks in fields[_USER : _CHILDREN_SYSTEM + 1]) / TICKS

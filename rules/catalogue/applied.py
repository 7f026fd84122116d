"""How a catalogue was applied: who, why, when, and from which files. It stands in the catalogue's record in the log.

The hash of a catalogue is one of its files alone: nothing here is part of it. A record of an older Segue has none of
this, and one of a newer Segue may hold keys that are not read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.ground.instants import format_instant, parse_instant


@dataclass(frozen=True, slots=True)
class GitState:
    """The revision of git that the folder stood at."""

    revision: str
    clean: bool
    """Whether every file of the catalogue was as that revision has it."""

    def as_json(self) -> dict[str, Any]:
        """Return it for storage."""
        return {"revision": self.revision, "clean": self.clean}


@dataclass(frozen=True, slots=True)
class Applied:
    """How a catalogue was applied. Whoever adds a field gives it a default: older records lack it."""

    by: str
    """Who applied it: `--by`, else the login."""
    at_ms: int
    """When, by the clock of the machine that ran `segue apply`."""
    note: str | None = None
    """Why: `--note`."""
    git: GitState | None = None
    """None: the folder is in no git repository, or git is not installed."""
    preview: str | None = None
    """The hash of the preview that the apply was bound to."""
    break_glass: str | None = None
    """Why it was applied without the approvals that the policy asks for."""
    back: bool = False
    """Whether it returned to the catalogue before: `--back`."""

    def as_json(self) -> dict[str, Any]:
        """Return it for storage; `read_applied` reads it."""
        return {
            "by": self.by,
            "at": format_instant(self.at_ms),
            "note": self.note,
            "git": None if self.git is None else self.git.as_json(),
            "preview": self.preview,
            "break_glass": self.break_glass,
            "back": self.back,
        }


def read_applied(value: Any) -> Applied | None:
    """Read what `as_json` wrote; None where there is nothing, or nothing that can be read."""
    if not isinstance(value, Mapping):
        return None
    try:
        return Applied(
            by=str(value["by"]),
            at_ms=parse_instant(value["at"]),
            note=_text(value, "note"),
            git=_git(value.get("git")),
            preview=_text(value, "preview"),
            break_glass=_text(value, "break_glass"),
            back=value.get("back") is True,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _text(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    return None if found is None else str(found)


def _git(value: Any) -> GitState | None:
    if not isinstance(value, Mapping):
        return None
    return GitState(str(value["revision"]), value.get("clean") is True)

"""What two values of a definition say differently, key by key."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rules.language.problems import canonical_json

ChangeWay: TypeAlias = Literal["came", "went", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. `was` and `now` are words; empty where there is nothing."""

    at: str
    """The path of a condition (`enter.all[0]`, in the new rule; of one that went, in the old), or of a key."""
    way: ChangeWay
    was: str
    now: str
    parts: tuple["Change", ...] = ()
    """Of a condition that changed: the keys in it that differ."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told: dict[str, Any] = {"at": self.at, "way": self.way, "was": self.was, "is": self.now}
        return told | ({"parts": [each.as_json() for each in self.parts]} if self.parts else {})

    @property
    def said(self) -> str:
        """Return it as a clause: `within 30d → 45d`, `in came: US`."""
        if self.way in ("came", "went"):
            return f"{self.at} {self.way}: {self.now or self.was}"
        return f"{self.at} {self.was} → {self.now}"


def value_changes(was: Any, now: Any, at: str) -> Iterator[Change]:
    """List what differs between two values at a path, in the order of the new one; None stands for nothing."""
    if canonical_json(was) == canonical_json(now):
        if isinstance(now, dict) and list(was) != list(now) and at.endswith("weights"):
            yield Change(at, "changed", ", ".join(was), ", ".join(now))
    elif isinstance(was, dict) and isinstance(now, dict):
        for key in [*now, *(key for key in was if key not in now)]:
            yield from value_changes(was.get(key), now.get(key), f"{at}.{key}" if at else key)
    elif isinstance(was, list) and isinstance(now, list):
        yield from _items(was, now, at)
    elif was is None:
        yield Change(at, "came", "", _said(now))
    elif now is None:
        yield Change(at, "went", _said(was), "")
    else:
        yield Change(at, "changed", _said(was), _said(now))


def _items(was: Sequence[Any], now: Sequence[Any], at: str) -> Iterator[Change]:
    before, after = Counter(map(canonical_json, was)), Counter(map(canonical_json, now))
    went = [each for each in was if _taken(before, after, each)]
    came = [each for each in now if _taken(after, before, each)]
    if not went and not came:
        yield Change(at, "changed", _said(was), _said(now))
    for each in went:
        yield Change(at, "went", _said(each), "")
    for each in came:
        yield Change(at, "came", "", _said(each))


def _taken(here: Counter[str], there: Counter[str], item: Any) -> bool:
    return here[canonical_json(item)] > there[canonical_json(item)]


def _said(value: Any) -> str:
    """Write a value as its file would have it: texts as they are, the rest in flow style."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_said(each)}' for key, each in value.items())}}}"
    return canonical_json(value)

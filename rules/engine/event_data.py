"""The declared values of one event type, taken out of an event's data."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rules.ground.event import Value
from rules.ground.values import COERCERS, BadNumber, WrongType
from rules.language.dictionary import ENDED, GRANTED, LINKED, NO_FACTS, STARTED, Dictionary, EventDeclaration

NO_OBJECT: Final = "on the way to a value something that is no object"
NULLS: Final = "\0null"
"""Name in the data of an event that reaches others: the declared paths that are there without a value. No declared path
has a control character in it."""
NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    LINKED: ("canonical",),
    STARTED: ("organisation", "role"),
    ENDED: ("organisation", "role"),
}


class DataPlan:
    """How the declared values of one event type are taken out of its data: paths split, coercers looked up."""

    __slots__ = ("_asks_more", "_facts", "_others", "_required", "_sets", "_strings", "_telling", "named")

    named: tuple[str, ...]
    """Paths that must have a value, the first of them the name of another subject: of a link, of an affiliation."""

    def __init__(self, name: str, declaration: EventDeclaration, dictionary: Dictionary) -> None:
        data = declaration.data
        self.named = NAMED.get(name, ())
        self._facts = name not in NO_FACTS
        self._strings = tuple(
            path for path, attribute in data.items() if attribute.type == "string" and "." not in path
        )
        self._others = tuple(
            (path, path.split(".")[0], tuple(path.split(".")[1:]), COERCERS[attribute.type])
            for path, attribute in data.items()
            if path not in self._strings
        )
        # an attribute of the trait's own type was taken already
        self._sets: tuple[tuple[str, str, tuple[str, ...], Callable[[Any], Value] | None], ...] = tuple(
            (
                trait,
                path,
                tuple(path.split(".")),
                None if path in data and data[path].type == kind else COERCERS[kind],
            )
            for trait, path in declaration.sets.items()
            for kind in (dictionary.traits[trait].type,)
        )
        self._telling: tuple[str, ...] = tuple(data) if declaration.reaches is not None else ()
        self._required = frozenset({"channel", "purpose"} if name == GRANTED else ())
        self._asks_more = bool(self._required or self._telling)

    def take(self, data: Any) -> tuple[dict[str, Value], tuple[tuple[str, Value | None], ...]]:
        """Take the values by path, and the settings of traits. Raises WrongType, before BadNumber, for the whole.

        The settings of an event that is no fact are checked as all others are, and left out.
        """
        values: dict[str, Value] = {}
        bad_number: BadNumber | None = None
        given: dict[str, Any] = data if isinstance(data, dict) else self._of_no_object(data)
        for name in self._strings:
            raw = given.get(name)
            if isinstance(raw, str):
                if raw:
                    values[name] = raw
            elif raw is not None:
                raise WrongType("not a string", name)
        for path, head, rest, coerce in self._others:
            raw = given.get(head)
            for key in rest:
                if isinstance(raw, dict):
                    raw = raw.get(key)
                elif raw is not None:
                    raise WrongType(NO_OBJECT, _broken(given, path))
            if raw is not None and raw != "":
                try:
                    values[path] = coerce(raw)
                except WrongType as wrong:
                    raise WrongType(str(wrong), path) from None
                except BadNumber as bad:
                    bad_number = bad_number or BadNumber(str(bad), path)
        if self._asks_more:
            self._ask_more(given, values)
        if self._sets or bad_number is not None:
            settings = self._settings(given, values, bad_number)
            return values, settings if self._facts else ()
        return values, ()

    def _ask_more(self, data: dict[str, Any], values: dict[str, Value]) -> None:
        """See that nothing required is missing; note the paths without a value: telling passes them on."""
        if not self._required <= values.keys():
            raise WrongType("missing", min(self._required.difference(values)))
        nulls = tuple(path for path in self._telling if _at(data, tuple(path.split(".")), path) in (None, ""))
        if nulls:
            values[NULLS] = nulls

    def _of_no_object(self, data: Any) -> dict[str, Any]:
        """Data that is missing is empty; what is no object is wrong, unless nothing is asked of it."""
        if data is not None and (self._strings or self._others or self._sets):
            raise WrongType("data that is no object")
        return {}

    def _settings(
        self, data: dict[str, Any], values: dict[str, Value], bad_number: BadNumber | None
    ) -> tuple[tuple[str, Value | None], ...]:
        """Take the settings; a bad number, found before or here, is raised once all types are known to be right."""
        settings: list[tuple[str, Value | None]] = []
        for trait, path, keys, coerce in self._sets:
            if coerce is None and path in values:
                settings.append((trait, values[path]))
                continue
            raw = _at(data, keys, path)
            if raw is None or raw == "":
                settings.append((trait, None))
            elif raw is not _ABSENT and coerce is not None:  # without a coercer: a bad number, found already
                try:
                    settings.append((trait, coerce(raw)))
                except WrongType as wrong:
                    raise WrongType(str(wrong), path) from None
                except BadNumber as bad:
                    bad_number = bad_number or BadNumber(str(bad), path)
        if bad_number is not None:
            raise bad_number
        return tuple(settings)


_ABSENT: Final = object()


def _broken(data: dict[str, Any], path: str) -> str:
    """Return the part of a declared path at which something stands that is no object."""
    keys = path.split(".")
    value: Any = data
    for depth, key in enumerate(keys):
        if value.__class__ is not dict:
            return ".".join(keys[:depth])
        value = value.get(key)
    return path


def _at(data: dict[str, Any], keys: tuple[str, ...], path: str) -> Any:
    """Follow a path; _ABSENT where it ends in nothing or in null on the way. Raises WrongType at what is no object."""
    value: Any = data
    for key in keys:
        if value.__class__ is not dict:
            if value is None:
                return _ABSENT
            raise WrongType(NO_OBJECT, _broken(data, path))
        value = value.get(key, _ABSENT)
        if value is _ABSENT:
            return _ABSENT
    return value

"""Which catalogue a text means: "in force", "before", "a week ago", an instant, a hash or its beginning, a folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.ground.instants import format_instant, parse_duration, parse_instant
from rules.language.problems import CatalogueErrors, Source
from streams.operations.definitions import load
from streams.operations.errors import (
    CatalogueRefused,
    CatalogueUnusable,
    NothingBefore,
    NotInForceThen,
    SeveralCatalogues,
    UnknownCatalogue,
    WrongRequest,
)
from streams.operations.in_force import History, Kept
from streams.settings import assignment_keys
from streams.wire.applies import Apply

IN_FORCE: Final = "in force"
BEFORE: Final = "before"
PREFIX_MIN: Final = 4
"""Digits of a hash that are enough to ask with: fewer look like a word."""
_HASH: Final = re.compile(r"[0-9a-f]{4,64}")
_AGO: Final = re.compile(r"(an?|one|\d+) (second|minute|hour|day|week)s? ago")
_SHORT_AGO: Final = re.compile(r"(\S+) ago")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_EPOCH_MS: Final = re.compile(r"\d{12,14}")
"""Epoch milliseconds from 1973 on. A hash that begins so is asked for with more of its digits."""


@dataclass(frozen=True, slots=True)
class Named:
    """A catalogue and what it was asked for as."""

    title: str
    """For people: `the catalogue in force (3f2a…)`, `the folder catalogue`."""
    catalogue: Catalogue
    folder: Path | None = None


def is_folder(text: str) -> bool:
    """Tell whether a text is taken for a folder: it is one, or it is written as a path."""
    return Path(text).is_dir() or "/" in text or text in (".", "..")


def named(text: str, history: History, topic: str, now_ms: int) -> Named:
    """Find and load the catalogue that a text means.

    Raises UnknownCatalogue, SeveralCatalogues, NotInForceThen, NothingBefore, NoCatalogue, CatalogueRefused (a folder
    that does not load) and CatalogueUnusable (a stored one that does not load under the rules of this version).
    """
    if is_folder(text):
        return of_folder(Path(text))
    digest, title = digest_of(text, history, now_ms)
    return Named(title, compiled(history.kept(digest, topic)))


def of_folder(folder: Path) -> Named:
    """Load a folder's catalogue. Raises WrongRequest: no such folder; CatalogueRefused.

    The places of problems name the folder, since there may be two.
    """
    if not folder.is_dir():
        raise WrongRequest(f"{folder} is no folder: give a catalogue's folder")
    try:
        return Named(f"the folder {folder}", load(folder), folder)
    except CatalogueRefused as refused:
        found = [replace(each, file=str(folder / each.file)) for each in refused.problems]
        raise CatalogueRefused(found) from None


def digest_of(text: str, history: History, now_ms: int) -> tuple[str, str]:
    """Return the hash of the stored catalogue that a text means, and its title.

    Raises as `named` does, and WrongRequest for an instant in the future.
    """
    if text in (IN_FORCE, BEFORE):
        found = history.in_force if text == IN_FORCE else history.before()
        if found is None:
            raise NothingBefore
        return found.catalogue, _titled(found, "in force" if text == IN_FORCE else "before")
    t_ms = instant_of(text, now_ms)
    if t_ms is not None and t_ms > now_ms:
        raise WrongRequest(f"{text!r} is in the future: what will be in force then, nobody can tell")
    if t_ms is not None:
        then = history.at(t_ms)
        if then is None:
            first = history.applies[0] if history.applies else history.in_force
            raise NotInForceThen(format_instant(t_ms), format_instant(first.at_ms))
        return then.catalogue, _titled(then, f"of {format_instant(t_ms)}")
    if _HASH.fullmatch(text) is None:
        raise UnknownCatalogue(text)
    matches = sorted(digest for digest in history.catalogues if digest.startswith(text))
    if not matches:
        raise UnknownCatalogue(text)
    if len(matches) > 1:
        raise SeveralCatalogues(text, matches)
    return matches[0], f"catalogue {matches[0][:12]}"


def instant_of(text: str, now_ms: int) -> int | None:
    """Read `a week ago`, `3 days ago`, `7d ago`, `yesterday`, RFC 3339 or epoch milliseconds; None: it is none."""
    if text == "yesterday":
        return now_ms - 86_400_000
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    ago = _AGO.fullmatch(text)
    if ago is not None:
        many = int(ago[1]) if ago[1].isdecimal() else 1
        return now_ms - many * _SECONDS[ago[2]] * 1_000
    short = _SHORT_AGO.fullmatch(text)
    try:
        return parse_instant(text) if short is None else now_ms - parse_duration(short[1])
    except ValueError:
        return None


def compiled(kept: Kept) -> Catalogue:
    """Compile a stored catalogue under the rules of this version, whichever it was applied under.

    Raises CatalogueUnusable.
    """
    try:
        return load_catalogue(sources_of(kept.record), assignment_keys())
    except (CatalogueErrors, KeyError, AttributeError):
        raise CatalogueUnusable(
            f"catalogue {kept.hash[:12]} does not load here: use the version of Segue that applied it"
        ) from None


def sources_of(record: Mapping[str, Any]) -> list[Source]:
    """Make the sources of a stored catalogue."""
    return [Source(file, value) for file, value in record["files"].items()]


def _titled(found: Apply, said: str) -> str:
    return f"the catalogue {said} ({found.catalogue[:12]})"

"""The parts of a change: the catalogue in force with one of them applied, so that each can be counted alone.

A part is a segment, an activation, a trait or an event of the dictionary, or a key of the policy. A part that does not
load alone (a segment that looks at a new trait) takes the parts along that it needs, and says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import differences
from rules.catalogue.files import DICTIONARY, POLICY
from rules.catalogue.loading import load_catalogue
from rules.catalogue.pilots import with_before
from rules.language.problems import CatalogueErrors, Source, canonical_json

PARTS_MAX: Final = 24
"""Parts that are counted each by itself: each takes as long as the whole."""
What: TypeAlias = Literal["segment", "activation", "trait", "event", "policy"]
_SECTIONS: Final[Mapping[str, str]] = {"trait": "traits", "event": "events"}
Files: TypeAlias = dict[str, Any]
_TOP: Final = (DICTIONARY, POLICY)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a change."""

    what: What
    name: str
    catalogue: Catalogue | None
    """The catalogue in force with this part applied; None: it loads neither alone nor with what it needs."""
    together_with: tuple[str, ...] = ()
    """Parts that it took along, by key."""

    @property
    def key(self) -> str:
        """Name it among all parts: `segment hcp-oncology`."""
        return f"{self.what} {self.name}"


def parts_of(old: Catalogue | None, new: Catalogue) -> list[Part]:
    """Return the parts of a change that may move a profile; none where the change is one part only."""
    if old is None:
        return []
    pieces = list(_pieces(old, new))
    if len(pieces) < 2:
        return []
    return [_part(piece, pieces, old, new) for piece in pieces]


def _pieces(old: Catalogue, new: Catalogue) -> Iterator[tuple[What, str]]:
    for each in differences(old, new):
        if each.what == "policy" or (each.way == "reworded" and each.what != "activation"):
            continue
        yield each.what, each.name
    was, now = old.files.get(POLICY) or {}, new.files.get(POLICY) or {}
    for key in sorted({*was, *now}):
        if canonical_json(was.get(key)) != canonical_json(now.get(key)):
            yield "policy", key


def _part(piece: tuple[What, str], pieces: list[tuple[What, str]], old: Catalogue, new: Catalogue) -> Part:
    for taken in _companies(piece, pieces, old, new):
        loaded = _loaded(taken, old, new)
        if loaded is not None:
            others = tuple(f"{what} {name}" for what, name in taken if (what, name) != piece)
            return Part(*piece, loaded, others)
    return Part(*piece, None)


def _companies(
    piece: tuple[What, str], pieces: list[tuple[What, str]], old: Catalogue, new: Catalogue
) -> Iterator[list[tuple[What, str]]]:
    """Yield what to try, the smallest first: alone; with what it names; with the dictionary; with all that names it."""
    taken = [piece]
    yield taken
    named = _grown(taken, pieces, lambda each: _names(_definition(new, each), pieces))
    if len(named) > 1:
        yield named
    declared = [each for each in pieces if each[0] in ("trait", "event", "policy")]
    yield _ordered({*named, *declared}, pieces)
    around = _grown([*named, *declared], pieces, lambda each: _naming(each, pieces, old))
    yield _ordered({*around}, pieces)


def _grown(taken: Iterable[tuple[What, str]], pieces: list[tuple[What, str]], of: Any) -> list[tuple[What, str]]:
    found, waiting = set(taken), list(taken)
    while waiting:
        for other in of(waiting.pop()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return _ordered(found, pieces)


def _ordered(taken: set[tuple[What, str]], pieces: list[tuple[What, str]]) -> list[tuple[What, str]]:
    return [each for each in pieces if each in taken]


def _names(definition: Any, pieces: list[tuple[What, str]]) -> list[tuple[What, str]]:
    """Return the parts whose names stand anywhere in a definition: perhaps too many, never too few."""
    texts = set(_texts(definition))
    return [each for each in pieces if each[1] in texts]


def _naming(piece: tuple[What, str], pieces: list[tuple[What, str]], old: Catalogue) -> list[tuple[What, str]]:
    return [each for each in pieces if piece[1] in set(_texts(_definition(old, each))) and each != piece]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _definition(catalogue: Catalogue, piece: tuple[What, str]) -> Any:
    what, name = piece
    if what in _SECTIONS:
        return (catalogue.files[DICTIONARY].get(_SECTIONS[what]) or {}).get(name)
    if what == "policy":
        return (catalogue.files.get(POLICY) or {}).get(name)
    return _written_out(catalogue).get(f"{what}s/{name}.yaml")


def _written_out(catalogue: Catalogue) -> Files:
    """Return the files of a catalogue, with one definition a file: what a template makes stands as if written."""
    files = {file: catalogue.files[file] for file in (DICTIONARY, POLICY) if file in catalogue.files}
    for what, definitions in (
        ("segments", catalogue.segments),
        ("activations", catalogue.activations),
        ("before/segments", catalogue.before),
        ("before/activations", catalogue.activations_before),
    ):
        files |= {f"{what}/{name}.yaml": each.raw for name, each in definitions.items()}
    return files


def _loaded(taken: Iterable[tuple[What, str]], old: Catalogue, new: Catalogue) -> Catalogue | None:
    files = _written_out(old)
    for piece in taken:
        _apply(piece, files, new)
    try:
        sources = [Source(file, value) for file, value in files.items()]
        loaded = load_catalogue(sources, {**old.policy.known_keys, **new.policy.known_keys})
        return with_before(loaded, old)
    except CatalogueErrors:
        return None


def _apply(piece: tuple[What, str], files: Files, new: Catalogue) -> None:
    what, name = piece
    definition = _definition(new, piece)
    if what in _SECTIONS:
        _put(files, DICTIONARY, _SECTIONS[what], name, definition)
    elif what == "policy":
        policy = dict(files.get(POLICY) or {})
        policy.pop(name, None)
        files[POLICY] = policy | ({} if definition is None else {name: definition})
    else:
        written = _written_out(new)
        for file in (f"{what}s/{name}.yaml", f"before/{what}s/{name}.yaml"):  # of a pilot, the version before too
            files.pop(file, None)
            if file in written:
                files[file] = written[file]


def _put(files: Files, file: str, section: str, name: str, definition: Any) -> None:
    whole = dict(files[file])
    held = dict(whole.get(section) or {})
    held.pop(name, None)
    whole[section] = held | ({} if definition is None else {name: definition})
    files[file] = whole

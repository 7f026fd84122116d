"""Versions of definitions: a version stands for one text, for ever (docs/language.md, Versions).

Every published change names its definition and the version. So a reader can find the text, if no version ever stands
for two. Three keys are no part of the text: `version` names it, `status` says where it is in its life, and `pilot` says
for whom it is already in force. An activation's `content.review.status` is such a status, too: content is pulled at
once with it. Comments, key order and the file's name are no part of it either.

The *ledger* keeps, by definition, the highest version that was ever in force, and the digest of its text. It travels
from each catalogue's record to the next, so it outlives a definition that is gone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.language.problems import Problem, Problems, Source, canonical_json
from rules.language.templates import expand

LIFE: Final = ("version", "status", "pilot")
"""Keys of a definition that are no part of its text."""
IN_FORCE: Final = ("approved",)
CHECKED: Final = ("approved", "retired")
"""A definition of another status publishes nothing: its text may change under one version."""


class Version(NamedTuple):
    """A version and the digest of the text that it stands for."""

    number: int
    text: str


Ledger: TypeAlias = Mapping[str, Version]
"""By `segment/ID` or `activation/ID`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as far as its version is concerned."""

    kind: str
    id: str
    status: str
    version: Version

    @property
    def key(self) -> str:
        """Return its key in a ledger."""
        return f"{self.kind}/{self.id}"


def definitions_of(catalogue: Catalogue) -> Iterator[Definition]:
    """Walk the definitions of a catalogue that loads, segments first, by id."""
    return _definitions(catalogue.segments, catalogue.activations)


def definitions_before(catalogue: Catalogue) -> Iterator[Definition]:
    """Walk the versions before its pilots: they are in force, too."""
    return _definitions(catalogue.before, catalogue.activations_before)


def _definitions(segments: Mapping[str, Segment], activations: Mapping[str, Activation]) -> Iterator[Definition]:
    for _, segment in sorted(segments.items()):
        yield Definition("segment", segment.id, segment.status, Version(segment.version, text_digest(segment.raw)))
    for _, each in sorted(activations.items()):
        yield Definition("activation", each.id, each.status, Version(each.version, text_digest(each.raw)))


def definitions_in(files: Mapping[str, Any]) -> Iterator[Definition]:
    """Walk the definitions in stored files, which need not load under the rules of this version."""
    for file, value in files.items():
        for raw in (each.value for each in expand(Source(file, value), Problems())):
            for kind in ("segment", "activation"):
                if not isinstance(raw, dict) or not isinstance(raw.get(kind), str):
                    continue
                number = raw.get("version")
                if isinstance(number, int):
                    yield Definition(kind, raw[kind], str(raw.get("status")), Version(number, text_digest(raw)))


def text_digest(raw: Mapping[str, Any]) -> str:
    """Return a digest of all of a definition but its version and what says where it is in its life: 16 hex digits."""
    text = {key: value for key, value in raw.items() if key not in LIFE}
    content = text.get("content")
    if isinstance(content, dict) and isinstance(content.get("review"), dict):
        review = {key: value for key, value in content["review"].items() if key != "status"}
        text["content"] = {**content, "review": review}
    arms = text.get("arms")
    # key order means nothing but for the weights of arms: the first arms take the first shares
    order = list(arms["weights"]) if isinstance(arms, dict) and isinstance(arms.get("weights"), dict) else []
    return sha256(canonical_json([text, order]).encode()).hexdigest()[:16]


def extend(ledger: Ledger, definitions: Iterable[Definition]) -> dict[str, Version]:
    """Return a ledger with the definitions in force noted: the highest version of each."""
    found = dict(ledger)
    for each in definitions:
        if each.status in IN_FORCE and (each.key not in found or each.version.number >= found[each.key].number):
            found[each.key] = each.version
    return found


def write_ledger(ledger: Ledger) -> dict[str, list[Any]]:
    """Return a ledger for storage."""
    return {key: list(version) for key, version in sorted(ledger.items())}


def read_ledger(value: Any) -> Ledger | None:
    """Read what `write_ledger` wrote; None where there is none."""
    if not isinstance(value, Mapping):
        return None
    return {key: Version(int(number), str(text)) for key, (number, text) in value.items()}


def version_problems(
    new: Iterable[Definition], in_force: Iterable[Definition], ledger: Ledger, sources: Sequence[Source] = ()
) -> list[Problem]:
    """List what is wrong with the versions of a new catalogue, against the one in force and the ledger.

    A definition that stands as it is in force is right; a pilot and the version before it are both in force. Any other
    needs a version above the one in force, and above the highest that was ever in force, unless it is that very text
    again. `sources` give the places.
    """
    standing: dict[str, Version] = {}
    known = set()
    for each in in_force:
        if each.status in IN_FORCE:
            known.add((each.key, each.version))
            standing[each.key] = max(each.version, standing.get(each.key, each.version))
    problems = []
    for each in new:
        if (each.key, each.version) in known:
            continue
        said = _wrong(each, standing.get(each.key), ledger.get(each.key)) if each.status in CHECKED else None
        if said is not None:
            problems.append(_problem(each, said, sources))
    return problems


def _wrong(each: Definition, standing: Version | None, highest: Version | None) -> str | None:
    number = each.version.number
    if each.version == standing:
        return None
    write = f"write version: {max(known.number for known in (standing, highest, each.version) if known) + 1}"
    if standing is not None and number == standing.number:
        return f"{each.kind} {each.id!r} differs from what is in force as version {number}; {write}"
    if standing is not None and number < standing.number:
        back = "; `segue apply --back` returns to the catalogue before"
        return f"version {number} of {each.kind} {each.id!r} is lower than {standing.number}, in force; {write}{back}"
    if highest is None or number > highest.number or each.version == highest:
        return None
    if number == highest.number:
        return f"version {number} of {each.kind} {each.id!r} was in force before with another text; {write}"
    return f"version {number} of {each.kind} {each.id!r} is lower than {highest.number}, once in force; {write}"


def _problem(each: Definition, said: str, sources: Sequence[Source]) -> Problem:
    for source in sources:
        if isinstance(source.value, dict) and source.value.get(each.kind) == each.id:
            return Problem(source.file, *source.place(("version",)), said, source.expansion)
    return Problem(f"{each.kind} {each.id}", 0, 0, said)

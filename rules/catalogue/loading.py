"""Loading a catalogue: whole or not at all.

Every file is compiled, then what the files say of each other is checked. Everything that is wrong is told at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from rules.catalogue.activation import Activation, Surroundings, read_activation
from rules.catalogue.assignment_key import Keys
from rules.catalogue.before import is_before
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import DICTIONARY, PARTS, POLICY, mistaken, part_of
from rules.catalogue.pilot import PILOT, check_pilot
from rules.catalogue.policy import Policy, read_policy
from rules.catalogue.rank import Ranked, rank
from rules.catalogue.segment import KnownSegments, Segment, read_segment, references
from rules.catalogue.version import RULES_VERSION
from rules.conditions.mention import Mention
from rules.language.dictionary import Dictionary, read_dictionary
from rules.language.problems import CatalogueErrors, DefinitionReader, Problem, Problems, Source, canonical_json
from rules.language.templates import expand

TEMPLATES: Final = frozenset({"segment", "activation"})
"""The parts whose files may be templates."""


def load_catalogue(sources: Sequence[Source], keys: Keys | None = None) -> Catalogue:
    """Compile and check a catalogue; the order of the sources does not matter.

    `keys` are the assignment keys that are known here, by setting. Without its key a catalogue loads, and only an
    assignment cannot be computed (`rules.catalogue.assignment_key`).

    Raises CatalogueErrors with everything that is wrong. Sources without places (from JSON) give problems without.
    """
    loading = _Loading(sources, keys or {})
    catalogue = loading.run()
    if catalogue is None or loading.problems:
        raise CatalogueErrors(loading.problems)
    return catalogue


class _Loading:
    """One loading of a catalogue: reads every part, then checks them against each other."""

    def __init__(self, sources: Sequence[Source], keys: Keys) -> None:
        self._keys = keys
        self.problems = Problems()
        self._parts: dict[str, list[Source]] = {part: [] for part in PARTS}
        self._files: dict[str, Any] = {}
        for source in sorted(sources, key=lambda source: source.file):
            self._sort(source)
        self._dictionary: Dictionary | None = None
        self._policy: Policy | None = None
        self._given = tuple(sources)
        self._roots: dict[str, DefinitionReader] = {}
        self._segments: dict[str, Segment | None] = {}
        self._roots_before: dict[str, DefinitionReader] = {}
        self._before: dict[str, Segment] = {}
        self._ranked = Ranked({}, ())

    def _sort(self, source: Source) -> None:
        self.problems.extend(source.syntax)
        part = part_of(source.file)
        if part is not None:
            self._parts[part] += expand(source, self.problems) if part in TEMPLATES else [source]
            self._files[source.file] = source.value
        elif not source.syntax:
            self.problems.add(source, (), mistaken(source.file) or "is no part of a catalogue")

    def run(self) -> Catalogue | None:
        """Go through all files; None if a part that the rest needs is wrong."""
        for reader in self._readers("dictionary"):
            self._dictionary = read_dictionary(reader)
        if not self._parts["dictionary"]:
            self.problems.append(Problem(DICTIONARY, 0, 0, "missing; every catalogue has one"))
        self._policy = None if self._parts["policy"] else Policy()
        for reader in self._readers("policy"):
            self._policy = read_policy(reader, self._dictionary, self._keys)
        for reader in self._readers("segment"):
            self._read_segment(reader)
        for reader in self._readers("segment_before"):
            self._read_segment_before(reader)
        self._check_references()
        self._ranked = rank({name: self._named(name) for name in self._roots})
        for cycle in self._ranked.cycles:
            self._report_cycle(cycle)
        restricted = self._restricted()
        activations = self._read_activations(restricted)
        activations_before = self._read_activations_before(restricted, activations)
        if self.problems or self._dictionary is None or self._policy is None:
            return None
        return self._catalogue(self._dictionary, self._policy, restricted, activations, activations_before)

    def _readers(self, part: str) -> Iterable[DefinitionReader]:
        return (DefinitionReader.of(source, self.problems) for source in self._parts[part] if source.readable)

    def _read_segment(self, reader: DefinitionReader) -> None:
        segment = read_segment(reader, self._dictionary)
        name = reader.value.get("segment") if isinstance(reader.value, dict) else None
        if not isinstance(name, str):
            return
        if name in self._roots:
            self._report_again(reader.down("segment"), self._roots[name].down("segment"), f"segment {name!r}")
            return
        self._roots[name] = reader
        self._segments[name] = segment
        if segment is not None and segment.pilot is not None and self._policy is not None:
            policy = self._policy
            check_pilot(reader.down(PILOT), segment.pilot, policy.market_trait, policy.key is not None)

    def _read_segment_before(self, reader: DefinitionReader) -> None:
        segment = read_segment(reader, self._dictionary)
        name = reader.value.get("segment") if isinstance(reader.value, dict) else None
        now = self._segments.get(name) if isinstance(name, str) else None
        if segment is None or (now is None and name in self._segments):
            return  # what is wrong is told already
        if is_before(reader, f"segment {segment.id!r}", now):
            self._roots_before[segment.id] = reader
            self._before[segment.id] = segment

    def _report_again(self, reader: DefinitionReader, first: DefinitionReader, what: str) -> None:
        line, col = first.source.place(first.path)
        other = f", with {first.source.expansion}" if first.source.expansion else ""
        reader.problem(f"{what} is defined in {first.source.file}:{line}:{col} already{other}")

    def _known(self) -> KnownSegments:
        """Collect the segments for checking references; a file that gave no id makes any id possible."""
        complete = all(
            source.readable and isinstance(source.value, dict) and isinstance(source.value.get("segment"), str)
            for source in self._parts["segment"]
        )
        return KnownSegments(self._segments, complete)

    def _check_references(self) -> None:
        known = self._known()
        for name, root in (*self._roots.items(), *self._roots_before.items()):
            for mention in references(root.value):
                if mention.kind == "segment":
                    known.check(root.down(*mention.path), mention.name, f"segment {name!r}", root.value.get("status"))

    def _named(self, name: str) -> set[str]:
        """Return the existing segments that a segment refers to, of a pilot those of both versions."""
        return {mention.name for _, mention in self._references(name, "segment") if mention.name in self._roots}

    def _references(self, name: str, kind: str | None = None) -> Iterator[tuple[DefinitionReader, Mention]]:
        """Walk what a segment names, of a pilot what both versions name, each with its file."""
        for root in (self._roots[name], self._roots_before.get(name)):
            if root is not None:
                for mention in references(root.value):
                    if kind is None or mention.kind == kind:
                        yield root, mention

    def _report_cycle(self, cycle: tuple[str, ...]) -> None:
        """Report a circle of segments at the reference with which its first segment enters it."""
        first, then = cycle[0], cycle[1 % len(cycle)]
        root, mention = next(found for found in self._references(first, "segment") if found[1].name == then)
        told = " → ".join((*cycle, first))
        root.down(*mention.path).problem(f"segments must not refer to each other in a circle: {told}")

    def _restricted(self) -> dict[str, frozenset[str]]:
        """Trace restricted data through parents and `segment:`, lowest rank first (in a circle: only its own)."""
        found: dict[str, frozenset[str]] = {}
        ranks = self._ranked.ranks
        for name in sorted(self._roots, key=lambda name: (ranks.get(name, len(ranks)), name)):
            classes: set[str] = set()
            for _, mention in self._references(name):
                if mention.kind == "segment":
                    classes |= found.get(mention.name, frozenset())
                elif self._dictionary is not None:
                    classes |= {mention.restricted(self._dictionary) or ""} - {""}
            found[name] = frozenset(classes)
        return found

    def _read_activations(self, restricted: Mapping[str, frozenset[str]]) -> dict[str, Activation]:
        around = Surroundings(self._known(), restricted, self._policy)
        roots: dict[str, DefinitionReader] = {}
        activations: dict[str, Activation] = {}
        for reader in self._readers("activation"):
            activation = read_activation(reader, around)
            name = reader.value.get("activation") if isinstance(reader.value, dict) else None
            if not isinstance(name, str):
                continue
            if name in roots:
                self._report_again(reader.down("activation"), roots[name].down("activation"), f"activation {name!r}")
            roots.setdefault(name, reader)
            if activation is not None:
                activations[name] = activation
        return activations

    def _read_activations_before(
        self, restricted: Mapping[str, frozenset[str]], activations: dict[str, Activation]
    ) -> dict[str, Activation]:
        around = Surroundings(self._known(), restricted, self._policy)
        found: dict[str, Activation] = {}
        for reader in self._readers("activation_before"):
            before = read_activation(reader, around)
            now = None if before is None else activations.get(before.id)
            if before is None or not is_before(reader, f"activation {before.id!r}", now) or now is None:
                continue
            if before.channel != now.channel:
                message = f"a pilot cannot move activation {now.id!r} from {before.channel} to {now.channel}"
                reader.down("channel").problem(f"{message}; write a new activation")
            # both versions are one activation: what restricts either restricts it
            classes = before.restricted | now.restricted
            activations[now.id] = replace(now, restricted=classes)
            found[before.id] = replace(before, restricted=classes)
        return found

    def _catalogue(
        self,
        dictionary: Dictionary,
        policy: Policy,
        restricted: Mapping[str, frozenset[str]],
        activations: Mapping[str, Activation],
        activations_before: Mapping[str, Activation],
    ) -> Catalogue:
        segments = {name: segment for name, segment in self._segments.items() if segment is not None}
        approved = {name: segment for name, segment in segments.items() if segment.status == "approved"}
        ranks = self._ranked.ranks
        warnings = []
        if activations and policy.intents is None:
            warnings.append(Problem(POLICY, 0, 0, "no 'intents': activations of any intent load"))
        return Catalogue(
            dictionary=dictionary,
            policy=policy,
            segments=segments,
            activations=activations,
            rank=ranks,
            approved=approved,
            order=tuple(sorted(approved, key=lambda name: (ranks[name], name))),
            restricted=restricted,
            before=self._before,
            activations_before=activations_before,
            files=self._files,
            given=self._given,
            sources=tuple(source for part in self._parts.values() for source in part),
            hash=_hash(self._files, segments, activations),
            warnings=tuple(warnings),
        )


def _hash(files: Mapping[str, Any], segments: Mapping[str, Segment], activations: Mapping[str, Activation]) -> str:
    """Hash what a catalogue means.

    Segments and activations stand under their ids, templates expanded: in which file a definition stands, and whether
    it is written out or made by a template, means nothing. Key order means nothing but for the weights of arms, which
    stand apart.
    """
    value = {
        "rules": RULES_VERSION,
        "files": {file: value for file, value in files.items() if part_of(file) not in TEMPLATES},
        "segments": {name: each.raw for name, each in segments.items()},
        "activations": {name: each.raw for name, each in activations.items()},
        "arms": {name: [arm for arm, _ in each.arms.weights] for name, each in activations.items() if each.arms},
    }
    return sha256(canonical_json(value).encode()).hexdigest()

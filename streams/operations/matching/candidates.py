"""Pairs of subjects that may be one: found in the rows of exports, each with its evidence."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from rules.language.validation import nearest
from streams.operations.errors import WrongInput
from streams.operations.matching.exports import Row
from streams.operations.matching.normal import Normal, Normaliser, Oddities
from streams.operations.matching.scores import Looked, Scored, score
from streams.operations.matching.weights import Word

FIELDS: Final = ("npi", "email", "name", "address")
ORGANISATION_KINDS: Final = ("lab", "org", "payer", "pharmacy", "plan", "site")
"""Kinds of subjects that are organisations, unless `--organisations` says otherwise."""
Pair: TypeAlias = tuple[str, str]
"""Two subjects, the first by code points first."""
_BEST: Final[Sequence[Word]] = ("agree", "close", "differs", "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two subjects that may be one. `npis`: what each bears, for the steward to look up; they are public."""

    pair: Pair
    certainty: Literal["certain", "scored"]
    score: float
    """The probability that they are one, of three decimals; 1 where the NPI is the same."""
    words: Mapping[str, Word]
    """Field to how the two compare, for what was compared; empty where one of them does not say."""
    npis: tuple[str, str]
    note: str = ""


@dataclass(slots=True)
class Found:
    """The candidates, the most likely first, and what was looked at."""

    candidates: Sequence[Candidate] = ()
    rows: int = 0
    subjects: int = 0
    looked: dict[str, Sequence[Looked]] = field(default_factory=dict)
    """`people` and `organisations` to the pairs that each key led to."""
    decided: dict[Pair, Candidate] = field(default_factory=dict)
    """Candidates left out because the steward has decided them."""
    apart: dict[Pair, tuple[str, str]] = field(default_factory=dict)
    """Pairs of people that look like one and bear two NPIs, with what each bears: left out."""
    oddities: Oddities = field(default_factory=Oddities)


def find(
    rows: Iterable[Row],
    by: frozenset[str],
    *,
    at_least: float,
    organisations: Collection[str] = ORGANISATION_KINDS,
    decided: Collection[Pair] = (),
) -> Found:
    """Find the candidates: people among people, organisations among organisations.

    Raises MatchingMissing, and WrongInput where a kind of organisations is nobody's.
    """
    normaliser = Normaliser(by)
    people: list[Normal] = []
    companies: list[Normal] = []
    for row in rows:
        if _kind(row.subject) in organisations:
            companies.append(normaliser.organisation(row))
        else:
            people.append(normaliser.person(row))
    expect_kinds_of_organisations(organisations, {_kind(each.subject) for each in (*people, *companies)})
    found = Found(rows=len(people) + len(companies), oddities=normaliser.oddities)
    found.subjects = len({each.subject for each in (*people, *companies)})
    candidates: list[Candidate] = []
    for name, normals in (("people", people), ("organisations", companies)):
        if normals:
            candidates += _of(name, normals, by, at_least, found)
    left = [each for each in candidates if each.pair not in decided]
    found.decided = {each.pair: each for each in candidates if each.pair in decided}
    found.candidates = sorted(left, key=lambda each: (each.certainty != "certain", -each.score, each.pair))
    return found


def expect_kinds_of_organisations(organisations: Collection[str], kinds: Collection[str]) -> None:
    """See that each kind that is to be organisations is there, or a usual one: a misspelt kind would be people.

    `kinds`: of the subjects at hand; none: nothing can be told. Raises WrongInput.
    """
    for kind in organisations:
        if kinds and kind not in kinds and kind not in ORGANISATION_KINDS:
            raise WrongInput(f"--organisations: no subject is of the kind {kind!r}{nearest(kind, kinds)}")


def _kind(subject: str) -> str:
    return subject.partition(":")[0]


def _of(name: str, rows: Sequence[Normal], by: frozenset[str], at_least: float, found: Found) -> list[Candidate]:
    scores = score(rows, by, at_least, organisations=name == "organisations")
    found.looked[name] = scores.looked
    npis: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.npi:
            npis[row.subject].add(row.npi)
    pairs: dict[Pair, list[Scored]] = defaultdict(list)
    for each in scores.pairs:
        one, other = sorted((rows[each.left].subject, rows[each.right].subject))
        pairs[one, other].append(each)
    candidates = []
    for pair, scored in pairs.items():
        theirs = npis[pair[0]], npis[pair[1]]
        if name == "people" and all(theirs) and not theirs[0] & theirs[1]:
            found.apart[pair] = _shown(theirs)
            continue
        candidates.append(_candidate(pair, scored, theirs, by))
    return candidates


def _candidate(pair: Pair, scored: Sequence[Scored], npis: tuple[set[str], set[str]], by: frozenset[str]) -> Candidate:
    """Put the rows of two subjects together: the likeliest pair of rows counts, and each field's best agreement."""
    words: dict[str, Word] = {
        name: min((each.words[name] for each in scored if name in each.words), key=_BEST.index, default="")
        for name in FIELDS
        if name in by
    }
    certain = bool(npis[0] & npis[1])
    if "npi" in by:
        words["npi"] = "agree" if certain else "differs" if all(npis) else ""
    note = "one NPI and two names: look twice" if certain and words.get("name") == "differs" else ""
    probability = 1.0 if certain else round(max(each.probability for each in scored), 3)
    return Candidate(pair, "certain" if certain else "scored", probability, words, _shown(npis), note)


def _shown(npis: tuple[set[str], set[str]]) -> tuple[str, str]:
    return " ".join(sorted(npis[0])), " ".join(sorted(npis[1]))

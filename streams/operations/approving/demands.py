"""Which definitions need which signatures: by the policy of the folder, and by the policy in force."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.catalogue.approvals import Approvals, ApprovedKind, Role, named_roles
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.closure import Closures, closure_hash, value_hash
from rules.catalogue.files import DICTIONARY, POLICY
from streams.operations.approving.keys import KEYS_FILE, Keys
from streams.operations.approving.signed import Signed

FILES: Mapping[ApprovedKind, str] = {"dictionary": DICTIONARY, "policy": POLICY, "keys": KEYS_FILE}
"""The kinds of which a catalogue has one: their names are their files."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a new catalogue is judged by: what is in force before it."""

    approvals: Approvals
    """Of the policy in force. It rules changes of policy.yaml and keys.yaml, so that nobody can lift the rule first."""
    keys: Keys | None
    """The keys in force: they judge the signatures under a new keys.yaml. None: there are none; the new ones do."""


NOTHING_STANDS = Standing(Approvals(), None)
"""Before the first catalogue, and for `segue check`, which asks no server."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One definition, and the signatures that it needs."""

    kind: ApprovedKind
    name: str
    version: int | None
    roles: tuple[Role, ...]
    author: str | None
    """Who wrote it: `author` in its file."""
    parts: Mapping[str, str]
    """The hash of each part that a signature covers."""
    hash: str
    """The hash that a signature is bound to."""

    def __str__(self) -> str:
        return self.name if self.kind in FILES else f"{self.kind} {self.name}"


def demand_of(catalogue: Catalogue, signed: Signed, kind: ApprovedKind, name: str, written: Sequence[str]) -> Demand:
    """Return what one definition needs, if these roles are asked for."""
    raw = _raw(catalogue, signed, kind, name)
    if kind == "keys":
        parts = {KEYS_FILE: value_hash(raw)}
    else:
        parts = Closures(catalogue).parts(kind, name)
    return _demand(kind, name, written, raw, parts)


def demands(catalogue: Catalogue, signed: Signed, standing: Standing) -> list[Demand]:
    """List every definition that needs a signature; only approved segments and activations do.

    A retired definition, a draft and one that is gone need none: they end things, or are not in force. keys.yaml needs
    signatures where it is not the one in force.
    """
    return list(_demands(catalogue, signed, standing))


def _demands(catalogue: Catalogue, signed: Signed, standing: Standing) -> Iterator[Demand]:
    asked, closures = catalogue.policy.approvals, Closures(catalogue)
    named: dict[ApprovedKind, list[str]] = {
        "segment": sorted(catalogue.approved),
        "activation": sorted(catalogue.approved_activations),
        "dictionary": [DICTIONARY],
        "policy": [POLICY],
    }
    for kind, names in named.items():
        written = asked.of(kind) if kind != "policy" else _both(standing.approvals.of(kind), asked.of(kind))
        for name in names if written else ():
            yield _demand(kind, name, written, _raw(catalogue, signed, kind, name), closures.parts(kind, name))
    written = _both(standing.approvals.of("keys"), asked.of("keys"))
    if written and (standing.keys is None or value_hash(standing.keys.raw) != value_hash(signed.keys.raw)):
        yield demand_of(catalogue, signed, "keys", KEYS_FILE, written)


def _both(first: Sequence[str], then: Sequence[str]) -> list[str]:
    """Return the roles of two rules: all of the first, and what the second asks for besides."""
    left, more = list(first), []
    for role in then:
        if role in left:
            left.remove(role)
        else:
            more.append(role)
    return [*first, *more]


def _raw(catalogue: Catalogue, signed: Signed, kind: ApprovedKind, name: str) -> Any:
    if kind == "segment":
        return catalogue.segments[name].raw
    if kind == "activation":
        return catalogue.activations[name].raw
    return signed.keys.raw if kind == "keys" else catalogue.files.get(FILES[kind])


def _demand(kind: ApprovedKind, name: str, written: Sequence[str], raw: Any, parts: Mapping[str, str]) -> Demand:
    value = raw if isinstance(raw, dict) else {}
    return Demand(
        kind,
        name,
        value.get("version"),
        tuple(named_roles(written, value)),
        value.get("author"),
        parts,
        closure_hash(kind, name, parts),
    )

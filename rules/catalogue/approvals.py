"""The `approvals` of policy.yaml: whose signature each kind of definition needs (docs/language.md, Approvals)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import Field

from rules.catalogue.segment import Owner
from rules.language.problems import DefinitionReader
from rules.language.validation import Items, Maybe, Name, Strict

ApprovedKind: TypeAlias = Literal["segment", "activation", "dictionary", "policy", "keys"]
APPROVED_KINDS: Final[tuple[ApprovedKind, ...]] = get_args(ApprovedKind)
RULED_AS: Final[Mapping[ApprovedKind, str]] = {
    "segment": "segments",
    "activation": "activations",
    "dictionary": "dictionary",
    "policy": "policy",
    "keys": "keys",
}
"""The key of `approvals` that rules each kind."""
OWNED: Final[tuple[ApprovedKind, ...]] = ("segment", "activation")
"""The kinds that have an `owner`."""
_OWNER: Final = "owner."
_OWNER_KEYS: Final = tuple(Owner.model_fields)

_Roles = Maybe[Annotated[Items[Name], Field(min_length=1)]]


class ApprovalsDefinition(Strict):
    """`approvals: {segments: [owner.team], activations: [owner.team, owner.compliance]}`."""

    segments: _Roles = None
    activations: _Roles = None
    dictionary: _Roles = None
    policy: _Roles = None
    keys: _Roles = None


@dataclass(frozen=True, slots=True)
class Approvals:
    """Whose signatures are asked for; nothing is asked of a kind without roles."""

    roles: Mapping[ApprovedKind, tuple[str, ...]] = field(default_factory=dict)
    """By kind: as written, a role's name or a path into the definition's owner. A role named twice takes two people."""

    def __bool__(self) -> bool:
        return any(self.roles.values())

    def of(self, kind: ApprovedKind) -> tuple[str, ...]:
        """Return the roles of a kind, as written."""
        return self.roles.get(kind, ())


@dataclass(frozen=True, slots=True)
class Role:
    """One signature that is asked for: the role as policy.yaml writes it, and its name."""

    written: str
    name: str | None
    """None: the definition's owner does not name it."""

    def __str__(self) -> str:
        return self.written if self.name in (None, self.written) else f"{self.name} ({self.written})"

    def meant_by(self, text: str) -> bool:
        """Tell whether `--as TEXT` means this role: by name, as written, or by the last word of its path."""
        return text in (self.name, self.written) or self.written == _OWNER + text


def read_approvals(model: ApprovalsDefinition | None, reader: DefinitionReader | None) -> Approvals:
    """Compile the `approvals` of a policy; a path that leads to nothing is a problem at its place."""
    if model is None:
        return Approvals()
    roles = {kind: getattr(model, RULED_AS[kind]) or () for kind in APPROVED_KINDS}
    for kind, names in roles.items():
        for index, name in enumerate(names):
            if reader is not None and name.startswith(_OWNER):
                _check_path(reader.down(RULED_AS[kind], index), kind, name)
    return Approvals({kind: names for kind, names in roles.items() if names})


def _check_path(reader: DefinitionReader, kind: ApprovedKind, name: str) -> None:
    known = [_OWNER + key for key in _OWNER_KEYS]
    if kind not in OWNED:
        reader.problem(f"{RULED_AS[kind]!r} has no owner; write the name of a role")
    elif name not in known:
        reader.problem(f"an owner has no {name.removeprefix(_OWNER)!r}", name=name, known=known)


def named_roles(written: Sequence[str], raw: Any) -> Iterator[Role]:
    """Resolve roles for a definition: a path into `owner` becomes the name that stands there."""
    owner = raw.get("owner") if isinstance(raw, dict) else None
    owner = owner if isinstance(owner, dict) else {}
    for each in written:
        yield Role(each, owner.get(each.removeprefix(_OWNER)) if each.startswith(_OWNER) else each)

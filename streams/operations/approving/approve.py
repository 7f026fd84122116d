"""`segue approve`: sign a definition with all that it refers to, and write the approval beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rules.catalogue.approvals import OWNED, RULED_AS, ApprovedKind
from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import format_instant
from rules.language.validation import nearest
from streams.operations.approving.approval import COVERS_DIGITS, Approval, approvals_text, file_of
from streams.operations.approving.demands import FILES, NOTHING_STANDS, Demand, demand_of
from streams.operations.approving.keys import KEYS_FILE, PublicKey
from streams.operations.approving.ruling import Lack, fault, lacks, rule
from streams.operations.approving.signed import Signed, read_signed_folder
from streams.operations.approving.signing import AskPassphrase, public_text, read_private_key, sign
from streams.operations.definitions import load
from streams.operations.errors import UnknownName, WrongInput, WrongRequest


class ApprovalRefused(WrongInput):
    """A person may not approve a definition, or nothing is to be approved."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks to sign."""

    names: tuple[str, ...]
    """Ids of segments and activations, or policy.yaml, dictionary.yaml, keys.yaml."""
    role: str | None
    """As which role; None: the only one that the person has there."""
    activation: bool = False
    """Take a name for the activation's where a segment has it too."""
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """One approval that was written."""

    demand: Demand
    approval: Approval
    file: str
    lacks: tuple[Lack, ...]
    """What the definition still lacks."""
    already: bool = False
    """The very person has signed the very text as this role before: nothing was written."""


def standing_of(folder: Path, now_ms: int) -> list[Lack]:
    """Return what a folder's definitions lack; blocks. Raises CatalogueRefused; OSError."""
    return rule(load(folder), read_signed_folder(folder), NOTHING_STANDS, now_ms)


def approve(folder: Path, asked: Asked, key_file: Path, ask: AskPassphrase, now_ms: int) -> list[Signature]:
    """Sign definitions of a folder and write the approvals; blocks. Nothing is written where one is refused.

    What the person has signed already in that role, as it is, stays as it is.

    Raises CatalogueRefused, UnknownName, ApprovalRefused, KeyUnusable; OSError.
    """
    catalogue, signed = load(folder), read_signed_folder(folder)
    key = read_private_key(key_file, ask)
    rows = signed.keys.of_key(public_text(key))
    if not rows:
        raise ApprovalRefused(
            f"{KEYS_FILE} does not have the key of {key_file}: have this row added there",
            new_row("YOUR.NAME", public_text(key), now_ms),
        )
    made: list[Signature] = []
    for text in asked.names:
        kind, name = _named(catalogue, text, asked.activation)
        demand = demand_of(catalogue, signed, kind, name, catalogue.policy.approvals.of(kind))
        _expect_asked(catalogue, demand)
        role = _role(demand, rows, asked.role, now_ms)
        _expect_entitled(demand, rows[0].person, role, signed)
        unsigned = Approval(
            role=role,
            person=rows[0].person,
            at_ms=now_ms,
            meaning=asked.meaning or _meaning(demand, role),
            hash=demand.hash,
            covers={part: digest[:COVERS_DIGITS] for part, digest in demand.parts.items()},
        )
        made.append(
            _standing(demand, unsigned, signed, now_ms)
            or _signed(demand, unsigned, sign(key, unsigned.signed_text(kind, name)), signed, now_ms)
        )
    for each in made:
        if not each.already:
            _write(folder, signed, each)
    return made


def new_row(person: str, key: str, now_ms: int) -> str:
    """Return the row of keys.yaml for a new key."""
    return f'  - {{person: {person}, roles: [ROLE], key: "{key}", from: {format_instant(now_ms)[:10]}}}'


def _named(catalogue: Catalogue, text: str, activation: bool) -> tuple[ApprovedKind, str]:
    for kind, file in FILES.items():
        if text == file:
            return kind, file
    if text in catalogue.activations and (activation or text not in catalogue.segments):
        return "activation", text
    if text in catalogue.segments and not activation:
        return "segment", text
    known = catalogue.activations if activation else {*catalogue.segments, *catalogue.activations, *FILES.values()}
    what = "activation" if activation else "segment, activation or file to approve"
    raise UnknownName(text, f"the catalogue has no {what} {text!r}{nearest(text, known)}")


def _role(demand: Demand, rows: Sequence[PublicKey], text: str | None, now_ms: int) -> str:
    """Return the name of the role that the person signs as."""
    held = sorted({role for row in rows if row.valid(now_ms) for role in row.roles})
    person = rows[0].person
    if not held:
        raise ApprovalRefused(f"the key of {person} is not valid today: {KEYS_FILE} says from when until when")
    if text is None:
        fitting = sorted({role.name for role in demand.roles if role.name in held})
        if len(fitting) == 1:
            return fitting[0]
        what = f"one of {', '.join(held)}" if fitting else "a role"
        raise WrongRequest(f"say as which role {person} approves {demand}: --as and {what}")
    meant = [role for role in demand.roles if role.meant_by(text)]
    name = meant[0].name if meant else text
    if name is None:
        raise ApprovalRefused(f"{demand} does not name {meant[0].written}: write it into its file first")
    if name not in held:
        known = [*held, *(role.name for role in demand.roles if role.name)]
        said = f"{person} does not have the role {name!r} in {KEYS_FILE}{nearest(name, known)}"
        raise ApprovalRefused(said)
    return name


def _expect_asked(catalogue: Catalogue, demand: Demand) -> None:
    """See that a definition is to be approved at all."""
    if demand.kind not in OWNED:
        return
    found = (catalogue.segments if demand.kind == "segment" else catalogue.activations)[demand.name]
    if found.status != "approved":
        said = f"{demand} is {found.status.replace('_', ' ')}: write `status: approved` first, the signature covers it"
        raise ApprovalRefused(said)
    if not demand.roles:
        raise ApprovalRefused(f"policy.yaml asks for no approvals of {RULED_AS[demand.kind]}")


def _expect_entitled(demand: Demand, person: str, role: str, signed: Signed) -> None:
    """See that a person may sign a definition in a role."""
    if demand.author is None:
        raise ApprovalRefused(f"{demand} has no author: write `author: PERSON` into its file, the signature covers it")
    if demand.author == person:
        raise ApprovalRefused(f"{person} is the author of {demand}: another person approves it")
    asked = [each.name for each in demand.roles]
    others = [
        each.role
        for each in signed.of(demand.kind, demand.name)
        if each.person == person and each.role != role and each.hash == demand.hash and each.role in asked
    ]
    if others and role in asked:
        raise ApprovalRefused(f"{person} has approved {demand} as {others[0]} already: two roles take two people")


def _meaning(demand: Demand, role: str) -> str:
    version = "" if demand.version is None else f", version {demand.version},"
    return f"I have reviewed {demand}{version} with all that it refers to, and approve it as {role}."


def _standing(demand: Demand, asked: Approval, signed: Signed, now_ms: int) -> Signature | None:
    """Return the approval of this person in this role that counts already; None: there is none."""
    given = signed.of(demand.kind, demand.name)
    for each in given:
        if (each.role, each.person) == (asked.role, asked.person) and not fault(demand, each, signed.keys, now_ms):
            left = tuple(lacks(demand, given, signed.keys, now_ms))
            return Signature(demand, each, file_of(demand.kind, demand.name), left, already=True)
    return None


def _signed(demand: Demand, unsigned: Approval, signature: str, signed: Signed, now_ms: int) -> Signature:
    approval = Approval(
        unsigned.role, unsigned.person, unsigned.at_ms, unsigned.meaning, unsigned.hash, unsigned.covers, signature
    )
    after = [*_others(signed, demand, approval), approval]
    left = tuple(lacks(demand, after, signed.keys, now_ms))
    return Signature(demand, approval, file_of(demand.kind, demand.name), left)


def _others(signed: Signed, demand: Demand, approval: Approval) -> list[Approval]:
    """Return the definition's approvals that this one does not replace."""
    same = (approval.role, approval.person)
    return [each for each in signed.of(demand.kind, demand.name) if (each.role, each.person) != same]


def _write(folder: Path, signed: Signed, made: Signature) -> None:
    path = folder / made.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(approvals_text([*_others(signed, made.demand, made.approval), made.approval]), encoding="utf-8")

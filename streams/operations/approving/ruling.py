"""What is approved, and what lacks: every signature that a demand asks for, by another person than its author.

Two signatures come from two people, also where one person has both roles. Where people could sign in several ways, the
ruling finds a way that fills the most roles.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.catalogue.approvals import Role
from rules.catalogue.catalogue import Catalogue
from streams.operations.approving.approval import COVERS_DIGITS, Approval
from streams.operations.approving.demands import Demand, Standing, demands
from streams.operations.approving.keys import Keys
from streams.operations.approving.signed import Signed
from streams.operations.approving.signing import verifies

AHEAD_MS = 300_000
"""By how much the clock of the machine that signed may be ahead."""
NAMED_MAX = 4
"""Parts that are named where an approval has fallen away; more are counted."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One signature that lacks."""

    demand: Demand
    role: Role
    people: tuple[str, ...]
    """Who may sign."""
    why: str
    fell: bool = False
    """There was a signature, and an edit has made it fall away."""

    @property
    def by(self) -> str:
        """Say by whom it is still to be approved."""
        return str(self.role)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "kind": self.demand.kind,
            "name": self.demand.name,
            "role": self.role.name,
            "written": self.role.written,
            "people": list(self.people),
            "why": self.why,
            "fell_away": self.fell,
        }


def rule(catalogue: Catalogue, signed: Signed, standing: Standing, now_ms: int) -> list[Lack]:
    """Return every signature that lacks, in the order of the demands. Empty: all is approved, or nothing is asked."""
    found: list[Lack] = []
    for demand in demands(catalogue, signed, standing):
        keys = standing.keys if demand.kind == "keys" and standing.keys is not None else signed.keys
        found += lacks(demand, signed.of(demand.kind, demand.name), keys, now_ms)
    return found


def lacks(demand: Demand, approvals: Sequence[Approval], keys: Keys, now_ms: int) -> list[Lack]:
    """Return the signatures that one definition lacks, in the order of its roles."""
    signers = [_signers(demand, role, approvals, keys, now_ms) for role in demand.roles]
    filled = _assigned(signers)
    return [
        Lack(
            demand,
            role,
            tuple(who for who in keys.people(role.name or "", now_ms) if who != demand.author),
            *_why(demand, role, approvals, keys, now_ms),
        )
        for index, role in enumerate(demand.roles)
        if index not in filled
    ]


def fault(demand: Demand, approval: Approval, keys: Keys, now_ms: int) -> str:
    """Say why an approval does not count; "": it does."""
    if demand.author is None:
        return "it has no author"
    if approval.person == demand.author:
        return f"{approval.person} is its author: another person approves"
    if approval.at_ms > now_ms + AHEAD_MS:
        return f"the approval of {approval.person} is dated in the future"
    rows = [row for row in keys.rows if row.person == approval.person and row.holds(approval.role, approval.at_ms)]
    if not rows:
        return f"{approval.person} has no key for this role that was valid when it was signed"
    text = approval.signed_text(demand.kind, demand.name)
    if not any(verifies(row.bytes, approval.signature, text) for row in rows):
        return f"the signature of {approval.person} is not genuine"
    if approval.hash != demand.hash:
        return f"changed since {approval.person} approved it: {_changed(demand, approval)}"
    return ""


def _signers(demand: Demand, role: Role, approvals: Sequence[Approval], keys: Keys, now_ms: int) -> list[str]:
    return sorted(
        {each.person for each in approvals if each.role == role.name and not fault(demand, each, keys, now_ms)}
    )


def _assigned(signers: Sequence[Sequence[str]]) -> set[int]:
    """Give every role a person of its own, as many as possible; return the roles that got one (Kuhn's matching)."""
    role_of: dict[str, int] = {}

    def seat(role: int, tried: set[str]) -> bool:
        for person in signers[role]:
            if person not in tried:
                tried.add(person)
                if person not in role_of or seat(role_of[person], tried):
                    role_of[person] = role
                    return True
        return False

    for role in range(len(signers)):
        seat(role, set())
    return set(role_of.values())


def _why(demand: Demand, role: Role, approvals: Sequence[Approval], keys: Keys, now_ms: int) -> tuple[str, bool]:
    """Say why a role has no signature, and whether one fell away; the latest signature for the role tells."""
    if demand.author is None:
        return "it has no author: write `author: PERSON` into it", False
    if role.name is None:
        return f"it does not name {role.written}", False
    given = sorted((each for each in approvals if each.role == role.name), key=lambda each: each.at_ms)
    if not given:
        return "nobody has approved it", False
    wrong = fault(demand, given[-1], keys, now_ms)
    if not wrong:
        return f"{given[-1].person} has approved it in another role: two roles take two people", False
    return wrong, wrong.startswith("changed")


def _changed(demand: Demand, approval: Approval) -> str:
    names = list(_differing(demand.parts, approval.covers))
    more = len(names) - NAMED_MAX
    said = ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    return said or "its name"


def _differing(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*now, *then}):
        if now.get(name, "")[:COVERS_DIGITS] != then.get(name):
            yield name

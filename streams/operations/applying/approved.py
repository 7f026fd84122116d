"""The check that refuses what is not approved, where policy.yaml asks for approvals; and its emergency way round.

Judged by the keys and the policy in force where there are any, so that nobody lifts the rule in the same breath: see
`streams.operations.approving.demands`. With a reason to break the glass no signature is asked for, and the catalogue
may only narrow what is in force (`rules.catalogue.narrowing`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.catalogue.approvals import OWNED, Approvals
from rules.catalogue.closure import Closures
from rules.catalogue.files import POLICY
from rules.catalogue.narrowing import widenings
from rules.catalogue.policy import approvals_of
from rules.catalogue.stored import texts_of
from streams.operations.applying.situation import InForce, Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.approving.demands import Standing
from streams.operations.approving.keys import KEYS_FILE, Keys, narrows
from streams.operations.approving.ruling import Lack, rule
from streams.operations.approving.signed import Signed, read_signed
from streams.operations.errors import CatalogueRefused, WrongInput


class NotApproved(WrongInput):
    """Definitions of the catalogue are not approved. `lacks`: every signature that lacks."""

    def __init__(self, lacks: Sequence[Lack]) -> None:
        definitions = len({str(each.demand) for each in lacks})
        what = "1 definition is" if definitions == 1 else f"{definitions} definitions are"
        super().__init__(f"{what} not approved: nothing was applied; `segue approve DIR NAME --as ROLE` approves one")
        self.lacks = tuple(lacks)


class BeforeNotApproved(WrongInput):
    """The version before a pilot is not what is in force, and nobody has signed it. `said`: a sentence for each."""

    def __init__(self, said: Sequence[str]) -> None:
        super().__init__(*said)
        self.said = tuple(said)


class NotNarrower(WrongInput):
    """The glass is to be broken for a catalogue that does more than narrow. `widenings`: a sentence for each."""

    def __init__(self, widenings: Sequence[str]) -> None:
        super().__init__("--break-glass may only narrow what is in force: nothing was applied", *widenings)
        self.widenings = tuple(widenings)


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Refuse a catalogue that lacks a signature; with broken glass, one that does more than narrow.

    Raises NotApproved, BeforeNotApproved, NotNarrower.
    """
    signed = situation.options.signed or Signed()
    stands = standing(situation.in_force)
    lacks = rule(situation.catalogue, signed, stands, situation.applied.at_ms)
    if situation.options.break_glass is not None:
        return _break_glass(situation, signed, stands, lacks)
    if lacks:
        raise NotApproved(lacks)
    unsigned = list(_befores(situation))
    if unsigned:
        raise BeforeNotApproved(unsigned)
    return ()


def _befores(situation: Situation) -> Iterator[str]:
    """Say of which pilots the version before would mean something that nobody has signed.

    It governs all other subjects. So it must be what is in force, with all that it refers to: nobody signs it again.
    """
    new, old = situation.catalogue, situation.old
    there = {"segment": new.before, "activation": new.activations_before}
    for kind in OWNED:
        if not new.policy.approvals.of(kind):
            continue
        for name in sorted(there[kind]):
            now = Closures(new).before_parts(kind, name)
            was = None if old is None else Closures(old).before_parts(kind, name)
            if now != was:
                parts = ", ".join(sorted(part for part in {**(was or {}), **(now or {})} if _differs(now, was, part)))
                yield (
                    f"{kind} {name}: the version before its pilot is not as it is in force ({parts}), and nobody has"
                    " signed that; leave these as they are, or end the pilot"
                )


def _differs(now: Mapping[str, str] | None, was: Mapping[str, str] | None, part: str) -> bool:
    return (now or {}).get(part) != (was or {}).get(part)


def _break_glass(
    situation: Situation, signed: Signed, stands: Standing, lacks: Sequence[Lack]
) -> Sequence[ApplyWarning]:
    """See that the catalogue only narrows; warn of what is to be approved afterwards. Raises NotNarrower."""
    if situation.old is None:
        raise NotNarrower(["no catalogue is in force that could be compared with it: approve it, or apply without it"])
    found = widenings(situation.old, situation.catalogue)
    if stands.keys is not None and not narrows(stands.keys, signed.keys):
        found.append(f"{KEYS_FILE} may only lose rows and roles, and end sooner")
    if found:
        raise NotNarrower(found)
    if not lacks:
        return [ApplyWarning("break_glass", "the glass was broken, though nothing lacked a signature")]
    names = list(dict.fromkeys(str(each.demand) for each in lacks))
    said = f"the glass was broken; to be approved before the next apply: {', '.join(names)}"
    return [ApplyWarning("break_glass", said)]


def standing(in_force: InForce | None) -> Standing:
    """Return what the catalogue in force rules: its approvals, and the keys that came with it."""
    if in_force is None:
        return Standing(Approvals(), None)
    if in_force.catalogue is not None:
        approvals = in_force.catalogue.policy.approvals
    else:  # it does not load here: what it asks for still holds
        approvals = approvals_of(_policy(in_force))
    return Standing(approvals, _keys(in_force) if approvals else None)


def _keys(in_force: InForce) -> Keys | None:
    """Return the keys that came with the catalogue in force; None: none did."""
    try:
        signed = read_signed(texts_of(in_force.record))
    except (ValueError, CatalogueRefused):
        return None
    return signed.keys if signed.keys.raw is not None else None


def _policy(in_force: InForce) -> Any:
    files = in_force.record.get("files")
    return files.get(POLICY) if isinstance(files, dict) else None

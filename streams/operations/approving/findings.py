"""What `segue check` finds about approvals, as warnings of lint."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.catalogue.approvals import RULED_AS, ApprovedKind
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import POLICY
from rules.language.problems import Source
from rules.lint.check import LintWarning
from streams.operations.approving.approval import file_of
from streams.operations.approving.demands import FILES, NOTHING_STANDS, Demand
from streams.operations.approving.ruling import rule
from streams.operations.approving.signed import Signed

_OPEN: Mapping[ApprovedKind, str] = {
    "policy": "whoever may change policy.yaml may take the approvals out",
    "keys": "whoever may change keys.yaml may sign as anybody",
}


def approval_findings(catalogue: Catalogue, signed: Signed, now_ms: int) -> list[LintWarning]:
    """Return every signature that lacks, and what the policy leaves open; none where it asks for no approvals."""
    approvals = catalogue.policy.approvals
    if not approvals:
        return []
    found = []
    for lack in rule(catalogue, signed, NOTHING_STANDS, now_ms):
        file, line, col = _place(lack.demand, catalogue.sources)
        said = f"{lack.demand} is still to be approved by {lack.by}: {lack.why}"
        found.append(LintWarning(file, line, col, "approval-fell-away" if lack.fell else "not-approved", said))
    found += _left_open(catalogue)
    return sorted(found)


def _left_open(catalogue: Catalogue) -> Iterator[LintWarning]:
    policy = next((source for source in catalogue.sources if source.file == POLICY), Source(POLICY, None))
    line, col = policy.place(("approvals",))
    for kind, said in _OPEN.items():
        if not catalogue.policy.approvals.of(kind):
            message = f"'approvals' asks nobody about {RULED_AS[kind]}: {said}"
            yield LintWarning(POLICY, line, col, "approvals-open", message)


def _place(demand: Demand, sources: Sequence[Source]) -> tuple[str, int, int]:
    """Return the file and the place of a definition; its file of approvals where it has none of its own."""
    for source in sources:
        value: Any = source.value
        if demand.kind in FILES:
            if source.file == demand.name:
                return source.file, *source.place(())
        elif isinstance(value, dict) and value.get(demand.kind) == demand.name:
            return source.file, *source.place(("status",))
    return (demand.name if demand.kind in FILES else file_of(demand.kind, demand.name)), 0, 0

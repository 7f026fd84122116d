"""Check a catalogue's folder: compile it, lint it, bound the size of a profile's state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.language.problems import CatalogueErrors, Problem
from rules.lint.check import LintWarning, lint
from rules.lint.footprint import SizeReport, state_size
from streams.clock import SystemClock
from streams.operations.approving.findings import approval_findings
from streams.operations.approving.signed import read_signed_folder
from streams.operations.errors import CatalogueRefused
from streams.operations.yaml_files import read_folder
from streams.settings import assignment_keys


@dataclass(frozen=True, slots=True)
class CheckedCatalogue:
    """A catalogue that compiles."""

    catalogue: Catalogue
    warnings: tuple[LintWarning, ...]
    """What is probably not meant, by file and place."""
    size: SizeReport
    """How large a profile's state can become, in bytes."""


def check_folder(folder: Path) -> CheckedCatalogue:
    """Compile and lint a catalogue's folder; blocks. Raises CatalogueRefused with every error at its place; OSError."""
    sources = read_folder(folder)
    try:
        catalogue = load_catalogue(sources, assignment_keys())
    except CatalogueErrors as wrong:
        raise CatalogueRefused(wrong.problems) from None
    warnings = lint(catalogue) + approval_findings(catalogue, read_signed_folder(folder), SystemClock().wall_ms())
    return CheckedCatalogue(catalogue, tuple(sorted(warnings)), state_size(catalogue))


def refused_json(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return the JSON value of a catalogue that does not compile."""
    errors = [{"file": p.file, "line": p.line, "col": p.col, "message": p.message} for p in problems]
    return {"ok": False, "errors": errors, "warnings": []}


def checked_json(checked: CheckedCatalogue) -> dict[str, Any]:
    """Return the JSON value of a catalogue that compiles."""
    catalogue, size = checked.catalogue, checked.size
    return {
        "ok": True,
        "errors": [],
        "warnings": [
            {"file": w.file, "line": w.line, "col": w.col, "code": w.code, "message": w.message}
            for w in checked.warnings
        ],
        "catalogue": catalogue.hash,
        "segments": [
            {
                "segment": each.id,
                "version": each.version,
                "status": each.status,
                "audience": each.layers.audience,
                "rank": catalogue.rank[each.id],
                "restricted": sorted(catalogue.restricted[each.id]),
            }
            for each in sorted(catalogue.segments.values(), key=lambda each: (catalogue.rank[each.id], each.id))
        ],
        "activations": [
            {
                "activation": each.id,
                "version": each.version,
                "status": each.status,
                "channel": each.channel,
                "audience": each.audience,
                "restricted": sorted(each.restricted),
            }
            for each in sorted(catalogue.activations.values(), key=lambda each: each.id)
        ],
        "traits": len(catalogue.dictionary.traits),
        "event_types": len(catalogue.dictionary.events),
        "profile_bytes_max": {
            "total": size.total_bytes_max,
            "conditions": size.conditions_bytes_max,
            "traits": size.traits_bytes_max,
            "memberships": size.memberships_bytes_max,
            "activations": size.activations_bytes_max,
            "consents": size.consents_bytes_max,
            "identities": size.identities_bytes_max,
        },
    }

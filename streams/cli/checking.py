"""What `segue check` says of a catalogue: a summary, the size of a profile's state; for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, get_args

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Status
from rules.language.problems import Problem
from rules.lint.check import LintWarning
from rules.lint.footprint import SizeReport, state_size
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out

CONTRIBUTORS_SHOWN: Final = 5
STATUSES: Final[tuple[str, ...]] = get_args(Status)
NO_AUDIENCE: Final = "any"


def refused_json(problems: Sequence[Problem]) -> dict[str, Any]:
    """For programs: a catalogue that does not load."""
    errors = [{"file": p.file, "line": p.line, "col": p.col, "message": p.message} for p in problems]
    return {"ok": False, "errors": errors, "warnings": []}


def checked_json(catalogue: Catalogue, warnings: Sequence[LintWarning]) -> dict[str, Any]:
    """For programs: a catalogue that loads."""
    size = state_size(catalogue)
    return {
        "ok": True,
        "errors": [],
        "warnings": [
            {"file": w.file, "line": w.line, "col": w.col, "code": w.code, "message": w.message} for w in warnings
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


def show(catalogue: Catalogue) -> None:
    """Show what a catalogue has, by audience, and how large a profile can become under it."""
    counts: Counter[tuple[str, str]] = Counter(
        (each.layers.audience or NO_AUDIENCE, each.status) for each in catalogue.segments.values()
    )
    statuses = [status for status in STATUSES if status == "approved" or any(counts[a, status] for a, _ in counts)]
    shown = table("segments for", *(status.replace("_", " ") for status in statuses))
    for column in shown.columns[1:]:
        column.justify = "right"
    for audience in sorted({audience for audience, _ in counts}):
        shown.add_row(*row([audience, *(counts[audience, status] or "" for status in statuses)]))
    shown.add_section()
    shown.add_row(*row(["all", *(sum(counts[a, s] for a, s in counts if s == status) for status in statuses)]))
    out.print(shown)
    _show_activations(catalogue)
    declared = catalogue.dictionary
    out.print(f"{len(declared.traits)} traits, {len(declared.events)} event types; catalogue {catalogue.hash[:12]}.")
    _show_size(state_size(catalogue))


def _show_activations(catalogue: Catalogue) -> None:
    channels = Counter(each.channel for each in catalogue.activations.values() if each.status == "approved")
    if channels:
        counts = ", ".join(f"{channel} {count}" for channel, count in sorted(channels.items()))
        out.print(f"{channels.total()} approved activations by channel: {counts}.")


def _show_size(size: SizeReport) -> None:
    out.print(
        f"A profile takes at most {_kib(size.total_bytes_max)}: conditions {_kib(size.conditions_bytes_max)}, traits"
        f" {_kib(size.traits_bytes_max)}, memberships {_kib(size.memberships_bytes_max)}, activations"
        f" {_kib(size.activations_bytes_max)}, consents {_kib(size.consents_bytes_max)}, recognised redeliveries"
        f" {_kib(size.identities_bytes_max)}. Few come near.",
        soft_wrap=True,
    )
    if size.contributors:
        shown = table("largest", "condition", "in", right=["largest"])
        for each in size.contributors[:CONTRIBUTORS_SHOWN]:
            shown.add_row(*row([_kib(each.bytes_max), each.description, ", ".join(each.segments)]))
        out.print(shown)


def _kib(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.1f} KiB"

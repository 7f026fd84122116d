"""A catalogue that compiles, for people: what it has, how large a profile's state can become."""

from collections import Counter
from typing import Final, get_args

from rich.table import Table

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilots import lacks_before
from rules.catalogue.segment import Status
from rules.ground.words import count
from rules.lint.footprint import SizeReport
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out
from streams.operations.check import CheckedCatalogue

CONTRIBUTORS_SHOWN: Final = 5
STATUSES: Final[tuple[str, ...]] = get_args(Status)
NO_AUDIENCE: Final = "any"


def show_summary(checked: CheckedCatalogue) -> None:
    """Show the segments by audience, the activations by channel, and the size of a profile's state."""
    catalogue = checked.catalogue
    out.print(segment_table(catalogue))
    channels = Counter(each.channel for each in catalogue.approved_activations.values())
    if channels:
        counts = ", ".join(f"{channel} {count}" for channel, count in sorted(channels.items()))
        write_sentence(f"{count(channels.total(), 'approved activation')} by channel: {counts}.")
    lacking = lacks_before(catalogue)
    if lacking:
        write_sentence(
            f"Pilots: {', '.join(lacking)}. `segue apply` adds to each the version before it, which governs the others."
        )
    declared = catalogue.dictionary
    write_sentence(
        f"{count(len(declared.traits), 'trait')}, {count(len(declared.events), 'event type')};"
        f" catalogue {catalogue.hash[:12]}."
    )
    _show_size(checked.size)


def segment_table(catalogue: Catalogue) -> Table:
    """Make the table of segments: a row an audience, a column a status that any segment has."""
    counts: Counter[tuple[str, str]] = Counter(
        (each.layers.audience or NO_AUDIENCE, each.status) for each in catalogue.segments.values()
    )
    audiences = sorted({audience for audience, _ in counts})
    statuses = [status for status in STATUSES if status == "approved" or any(counts[a, status] for a in audiences)]
    headings = [status.replace("_", " ") for status in statuses]
    shown = table("segments for", *headings, right=headings)
    for audience in audiences:
        shown.add_row(*row([audience, *(counts[audience, status] or "" for status in statuses)]))
    shown.add_section()
    shown.add_row(*row(["all", *(sum(counts[a, status] for a in audiences) for status in statuses)]))
    return shown


def _show_size(size: SizeReport) -> None:
    write_sentence(
        f"A profile takes at most {_kib(size.total_bytes_max)}: conditions {_kib(size.conditions_bytes_max)}, traits"
        f" {_kib(size.traits_bytes_max)}, memberships {_kib(size.memberships_bytes_max)}, activations"
        f" {_kib(size.activations_bytes_max)}, consents {_kib(size.consents_bytes_max)}, recognised redeliveries"
        f" {_kib(size.identities_bytes_max)}. Few come near."
    )
    if size.contributors:
        shown = table("largest", "condition", "in", right=["largest"])
        for each in size.contributors[:CONTRIBUTORS_SHOWN]:
            shown.add_row(*row([_kib(each.bytes_max), each.description, ", ".join(each.segments)]))
        out.print(shown)


def _kib(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.1f} KiB"

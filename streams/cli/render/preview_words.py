"""What a preview says in sentences, on a terminal and on the page."""

from collections.abc import Collection, Mapping
from typing import Final

from rules.ground.instants import format_instant
from rules.ground.words import count
from rules.preview.blind import Blind
from rules.preview.interactions import Interaction
from rules.preview.people import Moved
from streams.operations.preview import Preview
from streams.operations.preview_json import part_rows, parts_left_out
from streams.operations.preview_name import DIGITS

KINDS: Final[Mapping[str, str]] = {
    "erased": "erased",
    "merged": "stands for another subject",
    "retired": "retired",
    "definition_changed": "the definition changed",
    "restricted": "opted out",
    "parent_left": "left the parent",
    "market_left": "left the market",
    "exit_rule": "exit rule",
    "entry_lost": "entry no longer holds",
    "max_stay": "longest stay",
    "audience": "not its audience",
    "market": "not its market",
    "not_member": "not in its segments",
    "content_not_approved": "content not approved",
    "content_expired": "content expired",
    "consent": "no consent",
    "suppressed_by": "suppressed by a segment",
    "holdout": "holdout",
    "frequency_cap": "frequency cap",
    "exclusive_group": "another journey has the slot",
}


def said(counts: Mapping[str, int]) -> str:
    """Say counts by reason: `12 no consent, 3 holdout`."""
    return ", ".join(f"{number:,} {KINDS.get(kind, kind)}" for kind, number in counts.items())


def compared(found: Preview) -> str:
    """Say what was compared, over how much."""
    before = "with nothing in force" if found.before is None else f"with {found.before.hash[:DIGITS]}, in force"
    return (
        f"Catalogue {found.after.hash[:DIGITS]} compared {before}, as of {minute(found.at_ms)}:"
        f" {count(found.found.after.profiles, 'profile')}, {count(found.records, 'record')} read."
    )


def sample(found: Preview) -> str:
    """Say that the numbers are of a sample; "" where they are of all subjects."""
    if found.one_in == 1:
        return ""
    return f"Exact for a sample of 1/{found.one_in} of the subjects; each number is scaled by {found.one_in}."


def minute(t_ms: int) -> str:
    """Say an instant, to the minute."""
    return f"{format_instant(t_ms)[:16].replace('T', ' ')} UTC"


def blind(each: Blind) -> str:
    """Say until when a condition would be blind."""
    if each.until_ms is not None:
        until = f"until {minute(each.until_ms)}"
        return until if each.until_mark is None else f"{until}, or until a profile's next {each.until_mark}"
    return "for ever" if each.until_mark is None else f"until a profile's next {each.until_mark}"


def blinds(found: Preview) -> list[tuple[str, Collection[Blind]]]:
    """Return the conditions that would be blind, under their headings; headings without any are left out."""
    both = (
        ("Blind without filling", found.found.blind.values()),
        ("Blind although filled: the log does not reach back so far", found.found.still_blind.values()),
    )
    return [(title, conditions) for title, conditions in both if conditions]


def interaction(each: Interaction, one_in: int) -> str:
    """Say what the parts do together, beside what they do alone."""
    inward, outward = ("enter", "leave") if each.kind == "segment" else ("begin", "end")
    (whole_in, whole_out), (alone_in, alone_out) = each.whole, each.alone
    return (
        f"{each.kind} {each.name}: together {whole_in * one_in:,} {inward} and {whole_out * one_in:,} {outward};"
        f" alone the parts come to {alone_in * one_in:,} and {alone_out * one_in:,}"
    )


def moved(each: Moved) -> str:
    """Say how profiles move."""
    return f"{each.kind} {each.name}: {each.way}"


def notes(found: Preview) -> list[str]:
    """Say what the reader must know of the parts."""
    together = [
        f"{each.part} was counted together with {', '.join(each.together_with)}:"
        f" it needs {'them' if len(each.together_with) > 1 else 'it'}."
        for each in part_rows(found)
        if each.together_with
    ]
    together += found.unknown
    together += [f"{left['part']} was not counted alone: {left['why']}." for left in parts_left_out(found)]
    return together + [f"Before it can be applied: {each}." for each in found.to_version]

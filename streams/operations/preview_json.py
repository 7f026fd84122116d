"""A preview as one JSON value, for programs."""

from dataclasses import asdict
from typing import Any

from rules.ground.instants import format_instant
from rules.preview.blind import Blind
from rules.preview.interactions import Figures
from rules.preview.parts import PARTS_MAX
from rules.preview.summary import ActivationRow, PartRow, SegmentRow, activation_rows, part_row, segment_rows
from streams.operations.preview import Preview


def preview_json(found: Preview) -> dict[str, Any]:
    """Return the JSON value. The numbers of a sample are scaled by `sample.one_in`."""
    return {
        "preview": str(found.name),
        "in_force": None if found.before is None else found.before.hash,
        "catalogue": found.after.hash,
        "cut_at": format_instant(found.at_ms),
        "window_from": None if found.from_ms is None else format_instant(found.from_ms),
        "sample": {"one_in": found.one_in, "profiles_counted": found.found.after.profiles, "scaled": found.one_in > 1},
        "offsets": [{"from": start, "to": end} for start, end in found.offsets],
        "differences": [each._asdict() for each in found.differences],
        "segments": [asdict(each) for each in seen_segments(found)],
        "activations": [asdict(each) for each in seen_activations(found)],
        "parts": [asdict(each) for each in part_rows(found)],
        "parts_not_counted": parts_left_out(found),
        "interactions": [
            asdict(each) | {"whole": _scaled(each.whole, found), "alone": _scaled(each.alone, found)}
            for each in found.interactions
        ],
        "blind_without_filling": [_blind(each) for each in found.found.blind.values()],
        "blind_though_filled": [_blind(each) for each in found.found.still_blind.values()],
        "unknown": found.unknown,
        "to_version": [str(each) for each in found.to_version],
        "people": [
            {
                "kind": moved.kind,
                "name": moved.name,
                "way": moved.way,
                "profiles": [{"profile": one.subject, "before": one.before, "after": one.after} for one in people],
            }
            for moved, people in sorted(found.found.people.items())
        ],
        "not_shown": found.not_shown,
        "read": {"records": found.records, "passes": found.passes, "seconds": round(found.seconds, 3)},
    }


def seen_segments(found: Preview) -> list[SegmentRow]:
    """Return a row for each segment that the reader may see."""
    rows = segment_rows(found.found, found.before, found.after, found.one_in)
    return [each for each in rows if found.shows("segment", each.segment)]


def seen_activations(found: Preview) -> list[ActivationRow]:
    """Return a row for each activation that the reader may see."""
    rows = activation_rows(found.found, found.before, found.after, found.one_in)
    return [each for each in rows if found.shows("activation", each.activation)]


def _blind(each: Blind) -> dict[str, Any]:
    return asdict(each) | {"until": None if each.until_ms is None else format_instant(each.until_ms)}


def _scaled(figures: Figures, found: Preview) -> Figures:
    return figures[0] * found.one_in, figures[1] * found.one_in


def part_rows(found: Preview) -> list[PartRow]:
    """Return a row for each part that was counted alone, in the order of the differences."""
    return [
        part_row(each.key, each.together_with, found.found.parts[each.key], found.one_in)
        for each in found.parts
        if each.key in found.found.parts
    ]


def parts_left_out(found: Preview) -> list[dict[str, str]]:
    """Return the parts that were not counted alone, each with the reason."""
    return [
        {
            "part": each.key,
            "why": "it does not load alone"
            if each.catalogue is None
            else f"only the first {PARTS_MAX} parts are counted alone",
        }
        for each in found.parts
        if each.key not in found.found.parts
    ]

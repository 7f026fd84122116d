"""A preview as one JSON value, for programs."""

from dataclasses import asdict
from typing import Any

from rules.ground.instants import format_instant
from rules.preview.parts import PARTS_MAX
from rules.preview.summary import PartRow, activation_rows, part_row, segment_rows
from streams.operations.preview import Preview


def preview_json(found: Preview) -> dict[str, Any]:
    """Return the JSON value. The numbers of a sample are scaled by `sample.one_in`."""
    asked = (found.found, found.before, found.after, found.one_in)
    return {
        "preview": found.hash,
        "in_force": None if found.before is None else found.before.hash,
        "catalogue": found.after.hash,
        "cut_at": format_instant(found.at_ms),
        "window_from": None if found.from_ms is None else format_instant(found.from_ms),
        "sample": {"one_in": found.one_in, "profiles_counted": found.found.after.profiles, "scaled": found.one_in > 1},
        "offsets": [{"from": start, "to": end} for start, end in found.offsets],
        "differences": [each._asdict() for each in found.differences],
        "segments": [asdict(each) for each in segment_rows(*asked)],
        "activations": [asdict(each) for each in activation_rows(*asked)],
        "parts": [asdict(each) for each in part_rows(found)],
        "parts_not_counted": parts_left_out(found),
        "read": {"records": found.records, "passes": found.passes, "seconds": round(found.seconds, 3)},
    }


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

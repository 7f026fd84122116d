"""A preview on a terminal, 80 columns wide."""

from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

from rules.ground.instants import format_instant
from rules.preview.summary import activation_rows, segment_rows
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import keep_whole, row, table
from streams.cli.render.terminal import out
from streams.cli.render.words import count
from streams.operations.preview import NAMED, Preview
from streams.operations.preview_json import part_rows, parts_left_out


def show_preview(found: Preview) -> None:
    """Show a preview: the cut, the window, the parts of the change."""
    _head(found)
    asked = (found.found, found.before, found.after, found.one_in)
    segments = [each for each in segment_rows(*asked) if each.moves]
    activations = [each for each in activation_rows(*asked) if each.moves]
    _show(
        "At the cut",
        ("segment", "members", "enter", "leave", "after"),
        [(s.segment, s.members_before, s.cut.enter, s.cut.leave, s.members_after) for s in segments],
    )
    _show(
        "",
        ("activation", "contactable", "begin", "end", "told anew", "after", "suppressed"),
        [
            (
                a.activation,
                a.contactable_before,
                a.cut.become_contactable,
                a.cut.end,
                a.cut.told_anew,
                a.contactable_after,
                sum(a.suppressed_after.values()),
            )
            for a in activations
        ],
    )
    if found.from_ms is not None:
        _show(
            f"Since {format_instant(found.from_ms)[:10]}, as it went and as it would have gone",
            ("segment", "entered", "would enter", "left", "would leave"),
            [
                (s.segment, s.happened.enter, s.would.enter, s.happened.leave, s.would.leave)
                for s in segments
                if s.happened and s.would
            ],
        )
        _show(
            "",
            ("activation", "began", "would begin", "suppressed", "would be"),
            [
                (
                    a.activation,
                    a.happened.become_contactable,
                    a.would.become_contactable,
                    a.happened.suppressed,
                    a.would.suppressed,
                )
                for a in activations
                if a.happened and a.would
            ],
        )
    _parts(found)
    if not segments and not activations:
        out.print("Nobody moves: neither at the cut, nor in the window.")
    out.print(Text(f"segue apply DIR --preview {found.hash}", "bold"), soft_wrap=True)


def _head(found: Preview) -> None:
    before = "nothing" if found.before is None else f"catalogue {found.before.hash[:NAMED]}"
    write_sentence(
        f"Catalogue {found.after.hash[:NAMED]} against {before} in force, cut at {format_instant(found.at_ms)}:"
        f" {count(found.found.after.profiles, 'profile')}, {count(found.records, 'record')} read."
    )
    if found.one_in > 1:
        write_sentence(
            f"A sample of 1/{found.one_in} of the subjects, exact for them; every number is scaled by {found.one_in}."
        )
    out.print()


def _show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    found = list(rows)
    if not found:
        return
    shown = table(*columns, right=columns[1:], title=title or None)
    keep_whole(shown, columns[0], (str(each[0]) for each in found))
    for cells in found:
        shown.add_row(*row([cells[0], *(f"{each:,}" for each in cells[1:])]))
    out.print(shown)


def _parts(found: Preview) -> None:
    rows = part_rows(found)
    _show(
        "Each part of the change alone",
        ("part", "enter", "leave", "begin", "end", "told anew"),
        [(each.part, each.enter, each.leave, each.become_contactable, each.end, each.told_anew) for each in rows],
    )
    for each in rows:
        if each.together_with:
            write_sentence(f"{each.part} was counted together with {', '.join(each.together_with)}: it needs them.")
    for left in parts_left_out(found):
        write_sentence(f"{left['part']} was not counted alone: {left['why']}.")


def said(counts: Mapping[str, int]) -> str:
    """Say counts by reason: `12 consent, 3 holdout`."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())

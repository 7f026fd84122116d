"""A preview on a terminal, 80 columns wide."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.text import Text

from rules.ground.instants import format_instant
from rules.preview.summary import ActivationRow, SegmentRow
from streams.cli.render import preview_words as words
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import WIDTH, keep_whole, row, table
from streams.cli.render.terminal import out
from streams.operations.preview import Preview
from streams.operations.preview_json import part_rows, seen_activations, seen_segments


def show_preview(found: Preview, folder: Path | None) -> None:
    """Show a preview: the cut, the window, the parts of the change, what would be blind, who moves."""
    write_sentence(words.compared(found))
    if words.sample(found):
        write_sentence(words.sample(found))
    out.print()
    segments = [each for each in seen_segments(found) if each.moves]
    activations = [each for each in seen_activations(found) if each.moves]
    _cut(segments, activations)
    if found.from_ms is not None:
        _window(found.from_ms, segments, activations)
    _parts(found)
    _blind(found)
    _people(found)
    if not segments and not activations:
        write_sentence("Nobody moves: neither at the cut, nor in the window.")
    for note in words.notes(found):
        write_sentence(note)
    what = "--back" if folder is None else shlex.quote(str(folder))
    apply, bound = f"segue apply {what}", f"--preview {found.name}"
    # a shell reads both the same
    joint = " " if len(f"{apply} {bound}") <= WIDTH else " \\\n  "
    out.print(Text(f"{apply}{joint}{bound}", "bold"), soft_wrap=True)


def _cut(segments: Sequence[SegmentRow], activations: Sequence[ActivationRow]) -> None:
    _show(
        "At the cut, with history filled in",
        ("segment", "members", "enter", "leave", "after"),
        [(s.segment, s.members_before, s.cut.enter, s.cut.leave, s.members_after) for s in segments],
    )
    _show(
        "",
        ("activation", "contact", "begin", "end", "told anew", "after", "held back"),
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
    for a in activations:
        if a.suppressed_after:
            write_sentence(f"{a.activation}, held back after the cut: {words.said(a.suppressed_after)}.")
    for s in segments:
        if (s.unfilled.enter, s.unfilled.leave) != (s.cut.enter, s.cut.leave):
            write_sentence(
                f"{s.segment}, without filling: {s.unfilled.enter:,} enter, {s.unfilled.leave:,} leave at the cut."
            )


def _window(from_ms: int, segments: Sequence[SegmentRow], activations: Sequence[ActivationRow]) -> None:
    _show(
        f"Since {format_instant(from_ms)[:10]}: as it went, and as it would have gone",
        ("segment", "entered", "would enter", "left", "would leave"),
        [
            (s.segment, s.happened.enter, s.would.enter, s.happened.leave, s.would.leave)
            for s in segments
            if s.happened is not None and s.would is not None
        ],
    )
    _show(
        "",
        ("activation", "began", "would begin", "held back", "would be"),
        [
            (
                a.activation,
                a.happened.become_contactable,
                a.would.become_contactable,
                a.happened.suppressed,
                a.would.suppressed,
            )
            for a in activations
            if a.happened is not None and a.would is not None
        ],
    )


def _parts(found: Preview) -> None:
    _show(
        "Each part of the change alone",
        ("part", "enter", "leave", "begin", "end", "told anew"),
        [
            (each.part, each.enter, each.leave, each.become_contactable, each.end, each.told_anew)
            for each in part_rows(found)
        ],
    )
    told = found.interactions
    if told:
        write_sentence("The parts act on each other:")
        for each in told:
            write_sentence(words.interaction(each, found.one_in), indent=2)


def _blind(found: Preview) -> None:
    for title, conditions in words.blinds(found):
        out.print(Text(title, "bold yellow"))
        for each in conditions:
            write_sentence(f"{each.segment}: {each.path} ({each.text}) {words.blind(each)}", indent=2)
        out.print()


def _people(found: Preview) -> None:
    for moved, people in sorted(found.found.people.items()):
        out.print(Text(words.moved(moved), "bold"))
        for one in people:
            write_sentence(one.subject, indent=2)
            write_sentence(f"before: {'; '.join(one.before)}", indent=4)
            write_sentence(f"after: {'; '.join(one.after)}", indent=4)
        out.print()


def _show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    found = list(rows)
    if not found:
        return
    if title:
        out.print(Text(title, "bold"))
    shown = table(*columns, right=columns[1:])
    for cells in found:
        shown.add_row(*row([cells[0], *(f"{each:,}" for each in cells[1:])]))
    keep_whole(shown, columns[0], (str(each[0]) for each in found))
    out.print(shown)

"""A preview as one HTML page that an owner can be sent: no script, no request, every text escaped.

It names no profile, unless the person who made it asked for names.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from rules.ground.instants import format_instant
from rules.preview.summary import ActivationRow, SegmentRow
from streams.cli.render import preview_words as words
from streams.cli.render.pages import document, style_of
from streams.operations.preview import Preview
from streams.operations.preview_json import part_rows, seen_activations, seen_segments

_STYLE: Final = style_of("map_page.css", "preview_page.css")
BAR_PX: Final = 220


def page(found: Preview) -> str:
    """Return the page. Deterministic."""
    segments = [each for each in seen_segments(found) if each.moves]
    activations = [each for each in seen_activations(found) if each.moves]
    body = "\n".join(
        filter(
            None,
            (
                _head(found, segments, activations),
                _differences(found),
                _segments(segments),
                _activations(activations),
                _window(found, segments, activations),
                _parts(found),
                _blind(found),
                _people(found),
                _notes(found),
            ),
        )
    )
    return document(f"Preview, {words.minute(found.at_ms)}", _STYLE, body)


def _head(found: Preview, segments: Sequence[SegmentRow], activations: Sequence[ActivationRow]) -> str:
    figures = (
        ("enter a segment", sum(each.cut.enter for each in segments)),
        ("leave a segment", sum(each.cut.leave for each in segments)),
        ("become contactable", sum(each.cut.become_contactable for each in activations)),
        ("are contactable no more", sum(each.cut.end for each in activations)),
        ("are told anew", sum(each.cut.told_anew for each in activations)),
    )
    shown = "".join(f"<li><b>{number:,}</b><span>{said}</span></li>" for said, number in figures)
    sample = words.sample(found)
    noted = f'<p class="note">{escape(sample)}</p>' if sample else ""
    return (
        f'<h1>What this change does</h1>\n<p class="soft">{escape(words.compared(found))}</p>\n'
        f'{noted}<ul class="figures">{shown}</ul>\n'
        '<p class="soft">At the moment in which the change takes effect, with the history of new conditions filled in.'
        " A profile counts once for each segment or activation that it moves in.</p>"
    )


def _differences(found: Preview) -> str:
    listed = [each for each in found.differences if found.before is not None or each.what in ("segment", "activation")]
    rows = ((f"{each.what} {each.name}", f"{each.way}{f': {each.said}' if each.said else ''}") for each in listed)
    return _list("What differs", rows, "Nothing differs.")


def _segments(rows: Sequence[SegmentRow]) -> str:
    cells = (
        _row(
            _name(each.segment, each.title),
            [
                ("members", f"{each.members_before:,}"),
                ("enter", _moving(each.cut.enter, "in", {})),
                ("leave", _moving(each.cut.leave, "out", each.cut.leave_by)),
                ("after", f"<b>{each.members_after:,}</b>"),
                ("without filling", f"+{each.unfilled.enter:,} −{each.unfilled.leave:,}"),
            ],
        )
        for each in rows
    )
    return _table("Segments", ("segment", "members", "enter", "leave", "after", "without filling"), cells)


def _activations(rows: Sequence[ActivationRow]) -> str:
    cells = (
        _row(
            _name(each.activation, each.channel),
            [
                ("contactable", f"{each.contactable_before:,}"),
                ("begin", _moving(each.cut.become_contactable, "in", {})),
                ("end", _moving(each.cut.end, "out", each.cut.end_by)),
                ("told anew", f"{each.cut.told_anew:,}"),
                ("after", f"<b>{each.contactable_after:,}</b>"),
                ("held back", _moving(sum(each.suppressed_after.values()), "", each.suppressed_after)),
            ],
        )
        for each in rows
    )
    head = ("activation", "contactable", "begin", "end", "told anew", "after", "held back")
    return _table("Activations", head, cells)


def _window(found: Preview, segments: Sequence[SegmentRow], activations: Sequence[ActivationRow]) -> str:
    if found.from_ms is None:
        return ""
    pairs = [
        (
            _name(each.segment, each.title),
            (("entered", each.happened.enter, each.would.enter), ("left", each.happened.leave, each.would.leave)),
        )
        for each in segments
        if each.happened is not None and each.would is not None
    ]
    pairs += [
        (
            _name(each.activation, each.channel),
            (
                ("became contactable", each.happened.become_contactable, each.would.become_contactable),
                ("held back", each.happened.suppressed, each.would.suppressed),
            ),
        )
        for each in activations
        if each.happened is not None and each.would is not None
    ]
    most = max((number for _, both in pairs for each in both for number in each[1:]), default=0)
    rows = (_row(name, [("", _pair(each, most)) for each in both], numbers=False) for name, both in pairs)
    days = f"Since {format_instant(found.from_ms)[:10]}: as it went, and as it would have gone"
    table = _table(days, ("", "in", "out"), rows, numbers=False)
    legend = (
        '<p class="legend soft"><span><i></i>as it went</span><span><i class="now"></i>as it would have gone, had this'
        " change been in force from the beginning</span></p>"
    )
    return f"{table}\n{legend}" if table else ""


def _pair(each: tuple[str, int, int], most: int) -> str:
    said, happened, would = each
    widths = [round(BAR_PX * number / most, 1) if most else 0 for number in (happened, would)]
    return (
        f'{escape(said)}: {happened:,} → <b>{would:,}</b><svg class="bars" viewBox="0 0 {BAR_PX} 26" role="img" '
        f'aria-label="{happened:,} and {would:,}" preserveAspectRatio="none">'
        f'<rect class="was" x="0" y="3" height="9" width="{widths[0]}"/>'
        f'<rect class="now" x="0" y="15" height="9" width="{widths[1]}"/></svg>'
    )


def _parts(found: Preview) -> str:
    rows = (
        _row(
            _name(each.part, f"with {', '.join(each.together_with)}" if each.together_with else None),
            [
                ("enter", _moving(each.enter, "in", {})),
                ("leave", _moving(each.leave, "out", {})),
                ("begin", _moving(each.become_contactable, "in", {})),
                ("end", _moving(each.end, "out", {})),
                ("told anew", f"{each.told_anew:,}"),
            ],
        )
        for each in part_rows(found)
    )
    head = ("part", "enter", "leave", "begin", "end", "told anew")
    table = _table("Each part of the change alone", head, rows)
    told = [("", words.interaction(each, found.one_in)) for each in found.interactions]
    return table + (_list("Where the parts act on each other", told, "") if told else "")


def _blind(found: Preview) -> str:
    return "\n".join(
        _list(title, [(each.segment, f"{each.path} ({each.text}): {words.blind(each)}") for each in conditions], "")
        for title, conditions in words.blinds(found)
    )


def _people(found: Preview) -> str:
    parts = []
    for moved, people in sorted(found.found.people.items()):
        shown = "".join(
            f'<div class="person"><code>{escape(one.subject)}</code>'
            f"<p>before: {escape('; '.join(one.before))}</p><p>after: {escape('; '.join(one.after))}</p></div>"
            for one in people
        )
        parts.append(f'<h2>{escape(words.moved(moved))}</h2>\n<div class="sheet">{shown}</div>')
    return "\n".join(parts)


def _notes(found: Preview) -> str:
    notes = "".join(f'<p class="soft">{escape(each)}</p>' for each in [*words.notes(found), found.note] if each)
    return f"{notes}\n<h2>To apply exactly this</h2>\n<pre>segue apply DIR --preview {escape(str(found.name))}</pre>"


def _name(name: str, said: str | None) -> str:
    return f'{escape(name)}<span class="why">{escape(said)}</span>' if said else escape(name)


def _moving(number: int, kind: str, reasons: Mapping[str, int]) -> str:
    if not number:
        return '<span class="soft">0</span>'
    why = f'<span class="why">{escape(words.said(reasons))}</span>' if reasons else ""
    return f'<b class="{kind}">{number:,}</b>{why}'


def _row(name: str, cells: Iterable[tuple[str, str]], *, numbers: bool = True) -> str:
    kind = ' class="number"' if numbers else ""
    shown = "".join(f'<td{kind} data-of="{escape(of)}">{text}</td>' for of, text in cells)
    return f'<tr><th scope="row">{name}</th>{shown}</tr>'


def _table(title: str, head: Sequence[str], rows: Iterable[str], *, numbers: bool = True) -> str:
    found = list(rows)
    if not found:
        return ""
    columns = "".join(
        f'<th scope="col"{" class=number" if number and numbers else ""}>{escape(each)}</th>'
        for number, each in enumerate(head)
    )
    body = "\n".join(found)
    return (
        f'<h2>{escape(title)}</h2>\n<table class="stack"><thead><tr>{columns}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table>\n"
    )


def _list(title: str, rows: Iterable[tuple[str, str]], nothing: str) -> str:
    found = list(rows)
    if not found:
        return f'<h2>{escape(title)}</h2>\n<p class="clear">{escape(nothing)}</p>'
    shown = "\n".join(
        f"<li>{f'<b>{escape(first)}</b>' if first else ''}<span>{escape(rest)}</span></li>" for first, rest in found
    )
    return f'<h2>{escape(title)}</h2>\n<ul class="list">\n{shown}\n</ul>'

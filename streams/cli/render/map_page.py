"""The message map as one HTML page for screen and paper: no script, no request, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.reports import map_words as words
from rules.reports.message_map import ANY, MappedActivation, MessageMap
from streams.cli.render.pages import document, style_of

_STYLE: Final = style_of("map_page.css")


def page(drawn: MessageMap, catalogue: Catalogue) -> str:
    """Return the page. Deterministic."""
    body = "\n".join(
        (
            _head(drawn, catalogue),
            *(_audience(drawn, catalogue, audience, stages) for audience, stages in drawn.stages),
            _journeys(drawn),
            _list("gaps", "Gaps", [(words.where(gap), words.what(gap, drawn)) for gap in drawn.gaps], "No gaps."),
            _list(
                "twice",
                "Covered twice",
                [("", words.twice(double)) for double in drawn.doubles],
                "No two activations say the same to the same members.",
            ),
            _list("content", "Content to look at", _content(drawn), "All content is approved and in date."),
        )
    )
    return document(f"Message map, {words.day(drawn.at_ms)}", _STYLE, body)


def _content(drawn: MessageMap) -> list[tuple[str, str]]:
    found = ((each.activation.id, words.content(each)) for each in drawn.messages)
    return [(name, said) for name, said in found if said is not None]


def _head(drawn: MessageMap, catalogue: Catalogue) -> str:
    speaking = sum(each.speaks for each in drawn.messages)
    figures = (
        ("", "", speaking, "activation speaks", "activations speak"),
        ("", "journeys", len(words.journeys(drawn)), "journey", "journeys"),
        ("gap", "gaps", len(drawn.gaps), "gap", "gaps"),
        ("bad", "twice", len(drawn.doubles), "pair covers twice", "pairs cover twice"),
        ("bad", "content", len(_content(drawn)), "message to look at", "messages to look at"),
    )
    shown = "".join(
        f'<li class="{kind if number else ""}">{_linked(to, number, one if number == 1 else many)}</li>'
        for kind, to, number, one, many in figures
    )
    return (
        "<h1>Message map</h1>\n"
        f'<p class="soft">Who hears what, at which stage, through which channel: as of {words.day(drawn.at_ms)} (UTC), '
        f"catalogue <code>{escape(catalogue.hash[:12])}</code></p>\n"
        f'<ul class="figures">{shown}</ul>\n'
        '<p class="soft">Each message: the activation; topic, depth and evidence; <span class="call">call to action'
        "</span> and asset; the journey. A dashed line: it is not sent now.</p>"
    )


def _linked(to: str, number: int, said: str) -> str:
    text = f"<b>{number}</b><span>{escape(said)}</span>"
    return f'<a href="#{to}">{text}</a>' if to else text


def _audience(drawn: MessageMap, catalogue: Catalogue, audience: str, stages: Sequence[str]) -> str:
    head = "".join(_channel(drawn, audience, channel) for channel in drawn.channels)
    rows = "\n".join(_stage(drawn, catalogue, audience, stage) for stage in stages if drawn.shows(audience, stage))
    return (
        f"<h2>{escape(audience)}</h2>\n"
        f'<table class="grid stack"><thead><tr><th scope="col">stage</th>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _channel(drawn: MessageMap, audience: str, channel: str) -> str:
    missing = any((each.audience, each.channel) == (audience, channel) for each in drawn.gaps)
    tag = ' <span class="tag gap">nothing</span>' if missing else ""
    return f'<th scope="col">{escape(channel)}{tag}</th>'


def _stage(drawn: MessageMap, catalogue: Catalogue, audience: str, stage: str) -> str:
    missing = drawn.is_gap(audience, stage)
    marked = ' class="gap"' if missing else ""
    title = f'<th scope="row"{marked}>{escape(stage)}</th>'
    if not drawn.cell(audience, stage):
        segments = sorted(
            each.id
            for each in catalogue.approved.values()
            if (each.layers.audience or ANY, each.layers.stage or ANY) == (audience, stage)
        )
        kind = ' class="nothing"' if missing else ""
        reason = words.nothing(drawn, audience, stage).capitalize()
        said = f'{reason}: <span class="soft">{escape(words.names(segments))}</span>'
        return f'<tr{kind}>{title}<td colspan="{max(1, len(drawn.channels))}">{said}</td></tr>'
    cells = "".join(_cell(drawn, audience, stage, channel) for channel in drawn.channels)
    return f"<tr>{title}{cells}</tr>"


def _cell(drawn: MessageMap, audience: str, stage: str, channel: str) -> str:
    found = drawn.cell(audience, stage, channel)
    if found:
        return f'<td data-of="{escape(channel)}">{"".join(_card(drawn, each) for each in found)}</td>'
    if (audience, stage, channel) in drawn.closed:
        return f'<td class="shut" data-of="{escape(channel)}">kept off by a restriction</td>'
    return '<td class="none">–</td>'


def _card(drawn: MessageMap, message: MappedActivation) -> str:
    activation = message.activation
    tags = [] if (said := words.content(message)) is None else [("gap" if message.speaks else "bad", said)]
    for double in drawn.doubles:
        pair = (double.first, double.second)
        if activation.id in pair:
            other = pair[pair.index(activation.id) - 1]
            tags.append(("bad", f"same {' and '.join(double.same)} as {other}"))
    says = [
        message.says("topic") or "no topic",
        *(text for text in (message.says("depth"), message.says("evidence")) if text is not None),
    ]
    parts = [f"<h3>{escape(activation.id)}</h3>", f"<p>{escape(' · '.join(says))}</p>"]
    call = message.says("call_to_action")
    asset = message.says("asset") or "no asset"
    parts.append(f'<p><span class="call">{escape(call or "no call to action")}</span> <code>{escape(asset)}</code></p>')
    if activation.journey is not None:
        parts.append(f'<p class="soft">{escape(activation.journey)}</p>')
    parts += [f'<p><span class="tag {kind}">{escape(said)}</span></p>' for kind, said in tags]
    return f'<div class="card{"" if message.speaks else " silent"}">{"".join(parts)}</div>'


def _journeys(drawn: MessageMap) -> str:
    rows = "\n".join(_journey(name, messages) for name, messages in words.journeys(drawn).items())
    head = "".join(
        f'<th scope="col">{each}</th>'
        for each in ("journey", "in the group", "activations, by priority", "waits while", "consent")
    )
    return (
        f'<h2 id="journeys">Journeys</h2>\n<table class="stack"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _journey(name: str, messages: Iterable[MappedActivation]) -> str:
    found = [each.activation for each in messages]
    cells = (
        ("in the group", words.names(sorted({each.exclusive_group for each in found if each.exclusive_group}))),
        ("activations", words.names(f"{each.id} ({each.channel}, {each.priority})" for each in found)),
        ("waits while", words.names(sorted({name for each in found for name in each.suppress_while}))),
        ("consent", words.names(sorted({each.consent_purpose for each in found if each.consent_purpose}))),
    )
    shown = "".join(
        f'<td data-of="{of}">{escape(text)}</td>' if text else '<td class="none">–</td>' for of, text in cells
    )
    return f'<tr><th scope="row">{escape(name)}</th>{shown}</tr>'


def _list(to: str, title: str, found: Sequence[tuple[str, str]], nothing: str) -> str:
    if not found:
        return f'<h2 id="{to}">{title}</h2>\n<p class="clear">{nothing}</p>'
    rows = "\n".join(
        f"<li>{f'<b>{escape(first)}</b>' if first else ''}<span>{escape(rest)}</span></li>" for first, rest in found
    )
    return f'<h2 id="{to}">{title} <span class="soft">{len(found)}</span></h2>\n<ul class="list">\n{rows}\n</ul>'

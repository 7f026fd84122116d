"""The picture of a run: one panel for A (events/s) and one for B (p50 and p99 by rate), for each catalogue."""

from collections.abc import Sequence
from math import log10
from statistics import median
from typing import Final
from xml.sax.saxutils import escape

from tests.benchmarks.contest.figures import Found

WIDTH: Final = 900
PANEL: Final = 420
LEFT: Final = 150
"""Room for the names of A's bars, and for B's axis."""
BAR: Final = 26
COLOURS: Final = ("#1f6feb", "#8b949e", "#bf5700", "#2da44e", "#8250df", "#cf222e", "#9a6700", "#0f7b8a")
STYLE: Final = "font-family:sans-serif;font-size:12px;fill:#24292f"


def picture(found: Sequence[Found]) -> str:
    """Draw it, as SVG."""
    engines = list(dict.fromkeys(one.engine for one in found))
    colour = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(engines)}
    parts: list[str] = []
    top = 20
    ran = [one for one in found if one.drains]
    for segments in dict.fromkeys(one.segments for one in ran):
        these = [one for one in ran if one.segments == segments]
        height = max(BAR * len(these) + 60, 240)
        parts += [text(10, top, f"{segments} segments", "font-weight:bold")]
        parts += bars(these, colour, top + 20)
        parts += lines(these, colour, top + 20, height - 70)
        top += height + 20
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def bars(found: Sequence[Found], colour: dict[str, str], top: float) -> list[str]:
    """A: a bar for each engine, with a line from minimum to maximum."""
    parts = [text(LEFT, top, "A: events/s from a backlog")]
    widest = max(drain.events_per_s for one in found for drain in one.drains)
    scale = (PANEL - LEFT - 60) / widest
    for n, one in enumerate(found):
        rates = [drain.events_per_s for drain in one.drains]
        y = top + 12 + n * BAR
        width = median(rates) * scale
        parts += [
            text(LEFT - 8, y + 14, one.engine, "text-anchor:end"),
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 8}" fill="{colour[one.engine]}"/>',
            (
                f'<line x1="{LEFT + min(rates) * scale:.1f}" x2="{LEFT + max(rates) * scale:.1f}" y1="{y + 9}"'
                f' y2="{y + 9}" stroke="#24292f"/>'
            ),
            text(LEFT + max(rates) * scale + 6, y + 14, f"{median(rates):,.0f}"),
        ]
    return parts


def lines(found: Sequence[Found], colour: dict[str, str], top: float, height: float) -> list[str]:
    """B: p99 (line) and p50 (dashed) by rate, on a logarithmic axis of milliseconds."""
    labels = list(dict.fromkeys(label for one in found for label in one.opens if label[0].isdigit()))
    if not labels:
        return []
    left, right = PANEL + 90, WIDTH - 20
    step = (right - left) / max(1, len(labels))
    parts = [text(left, top, "B: p99 (line) and p50 (dashed) in ms, by events/s")]

    def y_of(ms: float) -> float:
        share = (log10(min(max(ms, 1), 10_000))) / 4
        return top + 15 + height * (1 - share)

    for ms in (1, 10, 100, 1_000, 10_000):
        parts += [
            f'<line x1="{left}" x2="{right}" y1="{y_of(ms):.1f}" y2="{y_of(ms):.1f}" stroke="#d0d7de"/>',
            text(left - 6, y_of(ms) + 4, f"{ms:,}", "text-anchor:end"),
        ]
    for n, label in enumerate(labels):
        parts.append(text(left + (n + 0.5) * step, top + height + 32, label, "text-anchor:middle"))
    for one in found:
        for quantile, dash in (("p99_ms", "none"), ("p50_ms", "4 3")):
            points = []
            for n, label in enumerate(labels):
                if label in one.opens:
                    at_ms = median([getattr(at, quantile) or 0 for at in one.opens[label]])
                    points.append(f"{left + (n + 0.5) * step:.1f},{y_of(at_ms):.1f}")
            line = f'fill="none" stroke="{colour[one.engine]}" stroke-width="2" stroke-dasharray="{dash}"'
            parts.append(f'<polyline points="{" ".join(points)}" {line}/>')
    return parts


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Write a text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{STYLE};{style}">{escape(words)}</text>'

"""The demo on a terminal: steps as they are done, then live panels on a screen of their own."""

from time import monotonic
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.demo import told as telling
from streams.demo.arrivals import RECENT, quantile
from streams.demo.figures import Figures, ToldChange
from streams.demo.words import Line

WIDE: Final = 130
"""Columns from which there is room for everything."""
EXPLAINED_ROWS: Final = 0.26
"""Share of the height for the explanation."""
_STATES: Final = {"running": "green", "no owner": "bold red"}
_WAYS: Final = {"in": "bold green", "out": "bold red", "on": "bold cyan", "off": "bold yellow"}
_COLOURS: Final = ("", "blue", "magenta", "yellow", "cyan")
"""Of workers, by number."""


class Screen:
    """Draws on a terminal."""

    feed_per_s = 3.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_s = monotonic()
        self._live: Live | None = None
        self._status = console.status("", spinner_style="cyan")

    def step(self, text: str) -> None:
        """See Show."""
        self._status.stop()
        line = Table.grid(padding=(0, 2))
        line.add_row(Text(f"{monotonic() - self._began_s:6.1f} s", "dim"), Text(text))
        self._console.print(line)

    def doing(self, text: str) -> None:
        """See Show."""
        self._status.update(text)
        self._status.start()

    def begin(self, figures: Figures) -> None:
        """See Show."""
        self._status.stop()
        self._live = Live(
            self._draw(figures), console=self._console, screen=True, auto_refresh=False, redirect_stderr=False
        )
        self._live.start()

    def update(self, figures: Figures) -> None:
        """See Show."""
        if self._live is not None:
            self._live.update(self._draw(figures), refresh=True)

    def change(self, line: Line) -> None:
        """See Show: the figures have it."""

    def notice(self, text: str) -> None:
        """See Show: the figures have it; between the screens it is a line."""
        if self._live is None:
            self.step(text)

    def explain(self, told: ToldChange) -> None:
        """See Show: the figures have it."""

    def end(self) -> None:
        """See Show."""
        self._status.stop()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self, figures: Figures) -> Layout:
        width, height = self._console.size
        wide = width >= WIDE
        explained = max(7, int(height * EXPLAINED_ROWS))
        root = Layout()
        root.split_column(
            Layout(_top(figures, width), name="top", size=2 + min(2, len(figures.notices))),
            Layout(_feed(figures, wide), name="feed"),
            Layout(
                name="middle",
                size=8
                + 2 * bool(figures.arrivals.contact.changes)
                + bool(figures.arrivals.linked.links)
                + bool(figures.arrivals.told.took),
            ),
            Layout(_explained(figures, explained), name="explained", size=explained),
        )
        root["middle"].split_row(
            Layout(_flow(figures, wide), ratio=3 if wide else 4), Layout(_partitions(figures), ratio=2 if wide else 3)
        )
        return root


def _top(figures: Figures, width: int) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total=1.0, completed=figures.share_played(), complete_style="cyan", finished_style="green")
    spent = f"{figures.playing_for_s():.0f} s"
    if figures.seconds:
        spent += f" of {figures.seconds:g} s"
    if figures.total:
        spent += f"  {figures.sent:,} of {figures.total:,} events"
    line.add_row(Text.assemble((" Segue demo ", "bold reverse"), f" {figures.phase}"), bar, spent)
    notices = [Text(f" {text}", "bold yellow", no_wrap=True, overflow="ellipsis") for text in figures.notices]
    return Group(line, *notices[-2:], Text())


def _panel(inside: RenderableType, title: str, height: int | None = None) -> Panel:
    return Panel(
        inside, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1), height=height
    )


def _feed(figures: Figures, wide: bool) -> RenderableType:
    return _Feed(figures, wide)


class _Feed:
    """The latest lines that fit, newest at the bottom."""

    def __init__(self, figures: Figures, wide: bool) -> None:
        self._figures = figures
        self._wide = wide

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height, figures = options.height or 10, self._figures
        rows = Table.grid(expand=True, padding=(0, 1))
        rows.add_column(no_wrap=True, style="dim")
        rows.add_column(no_wrap=True, width=3)
        rows.add_column(no_wrap=True, width=19, overflow="ellipsis")
        rows.add_column(no_wrap=True, ratio=4, overflow="ellipsis", style="cyan")
        rows.add_column(no_wrap=True, ratio=6, overflow="ellipsis")
        for line in list(figures.feed)[-(height - 2) :]:
            rows.add_row(
                line.at if self._wide else line.at[:8],
                Text(line.way, _WAYS[line.way]),
                Text(line.profile),
                Text(line.title),
                self._why(line),
            )
        going = figures.rates()[1]
        shown = f"some of {going:,.0f} a second" if going > Screen.feed_per_s else "as they are committed"
        yield _panel(rows, f"Memberships and activations, {shown}; every one is checked at the end", height)

    def _why(self, line: Line) -> Text:
        if line.suppressed:
            took = "" if line.took_ms is None else f"{line.took_ms:,.0f} ms: "
            return Text(took).append(line.why, "bold magenta")
        if line.alone:
            return Text(f"{line.cause}: ", "bold magenta").append(line.why, "not bold default")
        why = Text(line.why)
        return why.append(f"  [{line.cause}]", "dim") if self._wide else why


def _ms(value: float | None) -> str:
    return "      –" if value is None else f"{value:,.0f} ms"


def _flow(figures: Figures, wide: bool) -> Panel:
    coming, going = figures.rates()
    arrivals = figures.arrivals
    recent = arrivals.recent_ms()
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="dim", min_width=len("changes out"))
    rows.add_column(no_wrap=True, justify="right", min_width=len("1,000/s"))
    rows.add_column(no_wrap=True, overflow="ellipsis")
    aim = f", aiming at {figures.rate:,.0f}/s" if figures.rate and wide else ""
    rows.add_row("events in", f"{coming:,.0f}/s", f"{figures.sent:,}{aim}")
    rows.add_row(
        "changes out", f"{going:,.0f}/s", f"{arrivals.changes:,}: {arrivals.entered:,} in, {arrivals.exited:,} out"
    )
    p50, p99 = quantile(recent, 0.5), quantile(recent, 0.99)
    rows.add_row("latency p50", _ms(p50), "event sent to change read" if wide else "sent to read")
    rows.add_row("latency p99", _ms(p99), f"of the last {RECENT} changes" if wide else f"of the last {RECENT}")
    late = quantile([each.ms for each in arrivals.alone_took[-RECENT:]], 0.5)
    since = "after their instant" if wide else "late"
    rows.add_row(
        "by time alone" if wide else "time alone",
        f"{arrivals.alone:,}",
        "" if late is None else f"read {late:,.0f} ms {since}",
    )
    contact = arrivals.contact
    if contact.changes:
        ways = f"{contact.activated:,} on, {contact.deactivated:,} off"
        rows.add_row("activations", f"{contact.changes:,}", ways)
        took = [each.ms for each in contact.suppressed_took[-RECENT:]]
        p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
        late_by = "" if p50 is None else f"p50 {_ms(p50)}" + (f", p99 {_ms(p99)}, sent to read" if wide else " to read")
        rows.add_row("suppressed", f"{contact.suppressed:,}", late_by)
    if (linked := arrivals.linked).links:
        over = quantile([each.ms for each in linked.over_took], 0.5)
        said = "" if over is None else f"p50 {_ms(over)}" + (", sent to taken over" if wide else "")
        rows.add_row("links", f"{linked.links:,}", said)
    if told := arrivals.told.took[-RECENT:]:
        p50, p99 = (quantile([each.ms for each in told], share) for share in (0.5, 0.99))
        said = f"p50 {_ms(p50)}" + (f", p99 {_ms(p99)}, payer's event sent to entry" if wide else " to read")
        rows.add_row("told", f"{len(arrivals.told.took):,}", said)
    rows.add_row("behind", f"{figures.lag:,}", "records")
    return _panel(rows, "Flow")


def _partitions(figures: Figures) -> Panel:
    rows = Table.grid(padding=(0, 2), expand=True)
    rows.add_column(no_wrap=True, justify="right", style="dim")
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, justify="right")
    rows.add_row(*(Text(name, "dim") for name in ("part.", "owner", "state", "lag")))
    for lane in figures.lanes:
        owner = "none" if lane.owner is None else f"worker {lane.owner}"
        colour = "bold red" if lane.owner is None else _COLOURS[lane.owner % len(_COLOURS)]
        state = _STATES.get(lane.state, "yellow")
        lag = Text(f"{lane.lag:,}", "bold yellow" if lane.lag > 500 else "")
        rows.add_row(str(lane.partition), Text(owner, colour), Text(lane.state, state), lag)
    crew = Text()
    for each in figures.crew:
        colour = _COLOURS[each.number % len(_COLOURS)] if each.alive else "red strike"
        crew.append(f"worker {each.number}", colour).append(f" pid {each.pid}  ", "dim")
    return _panel(Group(rows, Text(), crew), "Partitions")


def _explained(figures: Figures, height: int) -> Panel:
    told = figures.told
    if told is None:
        return _panel(
            Text("A profile will be explained here as soon as something interesting happens to it.", "dim"), "Explain"
        )
    lines = list(telling.body(told))
    room = height - 3
    if len(lines) > room:
        lines = [*lines[: room - 1], lines[-1]]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return _panel(Group(telling.head(told), *lines), "segue explain")

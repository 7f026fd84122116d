"""The tables of `segue lag`, and its sentences."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from streams.cli.render.tables import row, table
from streams.clock import SystemClock
from streams.operations.lag import Lag, PartitionLag
from streams.operations.outlook import LATE_S, spoken


def lag_table(lag: Lag, *, offsets: bool = False) -> Table:
    """Make the table: a row a partition, and one of all together. `offsets`: where each stands, and no outlook."""
    shown = _offsets(lag) if offsets else _outlooks(lag)
    said = [] if offsets else list(_grouped((each.partition, each.outlook) for each in lag.partitions))
    shown.caption = "\n".join([*said, *_histories(lag)])
    shown.caption_justify = "left"
    return shown


def too_late(each: PartitionLag, seconds: float) -> str:
    """Say that a partition is later than it may be."""
    name = f"partition {each.partition}"
    if each.late_seconds is None:
        why = each.waits_for or "its oldest record cannot be read"
        return f"{name}: how late it is, is not known ({why})"
    what = "its oldest record that is not applied" if each.lag_seconds == each.late_seconds else "its first wake due"
    return f"{name} is {each.late_seconds:.1f} s late by {what}, more than {seconds:g} s: {each.outlook}"


def _outlooks(lag: Lag) -> Table:
    numbers = ("partition", "records", "seconds", "a second", "overdue", "heard")
    shown = table("partition", "records", "seconds", "a second", "overdue", "worker", "heard", right=numbers)
    for each in lag.partitions:
        gone = each.assigned is False or each.owner is None
        growth = each.growth_records_per_second
        cells = [
            each.partition,
            Text(f"{each.lag_records:,}", "yellow" if each.lag_records else ""),
            _seconds(each.lag_seconds),
            f"{growth:+,.0f}" if growth else "",
            Text(spoken(each.overdue_seconds), "yellow") if each.overdue_seconds > LATE_S else "",
            Text(each.owner or "none", "bold red" if gone else ""),
            _heard(each),
        ]
        shown.add_row(*row(cells))
    shown.add_section()
    overdue_s = max(each.overdue_seconds for each in lag.partitions)
    late = spoken(overdue_s) if overdue_s > LATE_S else ""
    shown.add_row(*row(["all", f"{lag.lag_records:,}", _seconds(lag.lag_seconds), "", late, "", ""]))
    return shown


def _heard(each: PartitionLag) -> str:
    """Say when the worker was last heard: it sends heartbeats, or it published something so long ago."""
    if each.assigned and each.owner is not None:
        return "alive"
    return "" if each.owner_heard_seconds is None else f"{spoken(each.owner_heard_seconds)} ago"


def _offsets(lag: Lag) -> Table:
    names = ("partition", "log end", "applied", "published", "lag records", "lag seconds")
    shown = table(*names, "catalogue", right=names)
    for column in shown.columns:  # at 80 columns only the headings of two words take a second line
        column.no_wrap = " " not in str(column.header)
    for each in lag.partitions:
        cells = [
            each.partition,
            f"{each.end:,}",
            Text("no state", "bold red") if each.applied is None else f"{each.applied:,}",
            "" if each.published is None else f"{each.published:,}",
            Text(f"{each.lag_records:,}", "yellow" if each.lag_records else ""),
            _seconds(each.lag_seconds),
            each.catalogue[:12],
        ]
        shown.add_row(*row(cells))
    shown.add_section()
    shown.add_row(*row(["all", "", "", "", f"{lag.lag_records:,}", _seconds(lag.lag_seconds), ""]))
    return shown


def _seconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.1f}"


def _histories(lag: Lag) -> Iterator[str]:
    now_ms = SystemClock().wall_ms()
    told = ((each.partition, each.history) for each in lag.partitions)
    for said in _grouped((partition, history.said(now_ms)) for partition, history in told if history is not None):
        yield f"history of {said}"


def _grouped(sentences: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield each sentence once, after the partitions that it is said of: `partitions 0-2, 5: caught up`."""
    said: defaultdict[str, list[int]] = defaultdict(list)
    for partition, sentence in sentences:
        said[sentence].append(partition)
    for sentence, those in said.items():
        yield f"partition{'s' * (len(those) > 1)} {', '.join(_runs(those))}: {sentence}"


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    """Yield runs of ascending numbers: 0-2, 5."""
    for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0]):
        inside = [number for _, number in run]
        yield str(inside[0]) if len(inside) == 1 else f"{inside[0]}-{inside[-1]}"

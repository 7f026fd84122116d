"""The tables of `segue lag`, and its sentences."""

from collections import defaultdict
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from streams.cli.render.tables import row, table
from streams.clock import SystemClock
from streams.operations.lag import Lag, PartitionLag
from streams.operations.outlook import LATE_S, spoken


def lag_table(lag: Lag, *, offsets: bool = False) -> Table:
    """Make the table: a row a partition, and one of all together. `offsets`: where each stands, and no outlook."""
    shown = _offsets(lag) if offsets else _outlooks(lag)
    if any(each.history is not None for each in lag.partitions):
        shown.caption = _histories(lag)
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
    numbers = ("partition", "lag records", "lag seconds", "overdue", "heard")
    shown = table("partition", "lag records", "lag seconds", "overdue", "worker", "heard", "outlook", right=numbers)
    for each in lag.partitions:
        owner = each.owner or "none"
        gone = each.assigned is False or each.owner is None
        bad = bool(each.waits_for) or each.outlook.startswith("will not")
        cells = [
            each.partition,
            Text(f"{each.lag_records:,}", "yellow" if each.lag_records else ""),
            _seconds(each.lag_seconds),
            Text(spoken(each.overdue_seconds), "yellow") if each.overdue_seconds > LATE_S else "",
            Text(owner, "red" if gone else ""),
            "" if each.owner_heard_seconds is None else f"{spoken(each.owner_heard_seconds)} ago",
            Text(each.outlook, "bold red" if bad else ""),
        ]
        shown.add_row(*row(cells))
    shown.add_section()
    overdue_s = max(each.overdue_seconds for each in lag.partitions)
    late = spoken(overdue_s) if overdue_s > LATE_S else ""
    shown.add_row(*row(["all", f"{lag.lag_records:,}", _seconds(lag.lag_seconds), late, "", "", ""]))
    return shown


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


def _histories(lag: Lag) -> str:
    now_ms = SystemClock().wall_ms()
    said = defaultdict(list)
    for each in lag.partitions:
        if each.history is not None:
            said[each.history.said(now_ms)].append(each.partition)
    return "\n".join(f"history of {_partitions(those)}: {how}" for how, those in said.items())


def _partitions(numbers: Sequence[int]) -> str:
    return f"partition {numbers[0]}" if len(numbers) == 1 else f"partitions {', '.join(map(str, numbers))}"

"""The end of it: a table for people, a line of JSON for programs."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.demo.arrivals import quantile, undisturbed_ms
from streams.demo.linked_summary import linked_json, linked_rows, told_json, told_rows
from streams.demo.outcome import DemoOutcome
from streams.demo.sources import Data


def as_json(outcome: DemoOutcome, data: Data) -> dict[str, Any]:
    """Sum up for programs. Latencies `p50_ms` and `p99_ms` leave out changes under way during the take-over."""
    figures, verdict, sampled = outcome.figures, outcome.verdict, outcome.sampled
    arrivals, trouble = figures.arrivals, figures.trouble
    between = (None, None) if trouble is None else (trouble.killed_s, trouble.over_s)
    calm, alone = undisturbed_ms(arrivals.took, *between), undisturbed_ms(arrivals.alone_took, *between)
    every = [each.ms for each in arrivals.took]
    contact = arrivals.contact
    suppressed = undisturbed_ms(contact.suppressed_took, *between)
    suppressing = undisturbed_ms(contact.suppressing_took, *between)
    return {
        "data": data.value,
        "events": figures.sent,
        "changes": outcome.published,
        "missing": outcome.missing,
        "duplicates": verdict.duplicates,
        "unexpected": outcome.unexpected,
        "out_of_order": verdict.out_of_order + sum(each.out_of_order for each in (sampled.verdicts if sampled else ())),
        "p50_ms": _ms(quantile(calm, 0.5)),
        "p99_ms": _ms(quantile(calm, 0.99)),
        "p50_all_ms": _ms(quantile(every, 0.5)),
        "p99_all_ms": _ms(quantile(every, 0.99)),
        "timed": len(calm),
        "events_per_second": round(figures.sent / figures.played_s, 1) if figures.played_s else None,
        "seconds": round(figures.played_s, 1),
        "activation_changes": outcome.contacts,
        "activation_p50_ms": _ms(quantile(undisturbed_ms(contact.took, *between), 0.5)),
        "activation_p99_ms": _ms(quantile(undisturbed_ms(contact.took, *between), 0.99)),
        "suppressions": contact.suppressed,
        "suppressions_timed": len(suppressed),
        "suppression_p50_ms": _ms(quantile(suppressed, 0.5)),
        "suppression_p99_ms": _ms(quantile(suppressed, 0.99)),
        "suppressing_entry_p50_ms": _ms(quantile(suppressing, 0.5)),
        "suppressing_entry_p99_ms": _ms(quantile(suppressing, 0.99)),
        **linked_json(arrivals.linked, between),
        **told_json(arrivals.told, between),
        "effects": outcome.effects,
        "effects_wrong": len(verdict.effects),
        "time_alone": arrivals.alone,
        "time_alone_p50_ms": _ms(quantile(alone, 0.5)),
        "time_alone_p99_ms": _ms(quantile(alone, 0.99)),
        "killed_workers": int(trouble is not None),
        "takeover_ms": None if trouble is None else _since(trouble.killed_s, trouble.taken_s),
        "caught_up_ms": None if trouble is None else _since(trouble.killed_s, trouble.over_s),
        "longest_gap_ms": _ms(max(arrivals.silence_s.values(), default=0.0) * 1000) if trouble else None,
        "checked_records": outcome.records,
        "profiles": None if sampled is None else sampled.known,
        "naive_profiles": None if sampled is None else sampled.profiles,
        "naive_linked": None if sampled is None else sampled.linked,
        "naive_told": None if sampled is None else sampled.told,
        "naive_changes": None if sampled is None else sampled.changes,
        "ok": outcome.right,
    }


def show(console: Console, outcome: DemoOutcome, data: Data) -> None:
    """Sum up for people."""
    told = as_json(outcome, data)
    shown = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    shown.add_column(style="dim")
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column()
    checked = f"{told['changes'] + told['activation_changes']:,}"
    rows: list[tuple[str, object, str]] = [
        ("events in", f"{told['events']:,}", f"{told['events_per_second']:,} a second for {told['seconds']} s"),
        ("changes out", f"{told['changes']:,}", _ways(outcome)),
        ("by time alone", f"{told['time_alone']:,}", _late(told)),
        (
            "latency p50",
            _said(told["p50_ms"]),
            _measured(data),
        ),
        ("latency p99", _said(told["p99_ms"]), _with_takeover(told)),
        *_contact(outcome, told),
        *linked_rows(told),
        *told_rows(told),
        *_killed(outcome, told),
        ("checked by the engine", checked, f"all {told['checked_records']:,} records applied again"),
        *_naive(told),
        ("missing", _count(told["missing"]), "expected and not published"),
        ("duplicates", _count(told["duplicates"]), "published more than once"),
        ("unexpected", _count(told["unexpected"]), "published and not expected"),
        ("out of order", _count(told["out_of_order"]), "partitions or profiles"),
    ]
    for cells in rows:
        shown.add_row(*(each if isinstance(each, Text) else Text(str(each)) for each in cells))
    console.print(shown)
    if outcome.right:
        console.print(Text("Nothing was lost, and nothing was repeated.", "bold green"))


def wrong(told: dict[str, Any]) -> list[str]:
    """Say what is wrong, for stderr."""
    names = ("missing", "duplicates", "unexpected", "out_of_order")
    counts = ", ".join(f"{told[name]:,} {name.replace('_', ' ')}" for name in names if told[name])
    if told["effects_wrong"]:
        counts = ", ".join(filter(None, (counts, f"{told['effects_wrong']:,} partitions with other effects")))
    return [
        f"The published changes are not those of the log: {counts}.",
        "This is a bug of Segue. `segue demo --keep` leaves everything up to be looked at: begin with `segue verify`.",
    ]


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _since(then_s: float, now_s: float | None) -> float | None:
    return None if now_s is None else _ms((now_s - then_s) * 1000)


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _count(value: int) -> Text:
    return Text(f"{value:,}", "bold green" if value == 0 else "bold red")


def _ways(outcome: DemoOutcome) -> str:
    arrivals = outcome.figures.arrivals
    return f"{arrivals.entered:,} entries, {arrivals.exited:,} exits"


def _late(told: dict[str, Any]) -> str:
    p50, p99 = told["time_alone_p50_ms"], told["time_alone_p99_ms"]
    if p50 is None:
        return ""
    return f"no event behind them; read {p50:,.0f} ms (p50), {p99:,.0f} ms (p99) after the instant they take effect"


def _measured(data: Data) -> str:
    said = "from an event's send to each change it caused, committed and read"
    return f"{said}; sent as fast as it goes, events wait for their turn" if data is Data.CDNOW else said


def _with_takeover(told: dict[str, Any]) -> str:
    if not told["killed_workers"]:
        return ""
    return f"without what was under way during the take-over; with it {_said(told['p99_all_ms'])}"


def _contact(outcome: DemoOutcome, told: dict[str, Any]) -> list[tuple[str, object, str]]:
    contact = outcome.figures.arrivals.contact
    if not told["activation_changes"]:
        return []
    ways = f"{contact.activated:,} on, {contact.deactivated:,} off, in the channels' topics"
    rows: list[tuple[str, object, str]] = [("activations", f"{told['activation_changes']:,}", ways)]
    if told["suppressions_timed"]:
        p50, p99 = _said(told["suppression_p50_ms"]), _said(told["suppression_p99_ms"])
        own = f"{_said(told['suppressing_entry_p50_ms'])} and {_said(told['suppressing_entry_p99_ms'])}"
        said = f"p50 {p50}, p99 {p99} from the event's send to the channel's reader; its membership change {own}"
        rows.append(("suppressed", f"{told['suppressions']:,}", said))
    return rows


def _killed(outcome: DemoOutcome, told: dict[str, Any]) -> list[tuple[str, object, str]]:
    trouble = outcome.figures.trouble
    if trouble is None:
        return []
    return [
        (
            "kill -9",
            f"worker {trouble.worker}",
            f"process {trouble.pid}, half-way, with {len(trouble.partitions)} partitions",
        ),
        ("taken over after", _said(told["takeover_ms"]), f"everything caught up after {_said(told['caught_up_ms'])}"),
        ("longest gap", _said(told["longest_gap_ms"]), "between two changes of a partition that it had"),
    ]


def _naive(told: dict[str, Any]) -> list[tuple[str, object, str]]:
    if told["naive_profiles"] is None:
        return [("checked otherwise", "–", "the naive evaluator comes with a checkout, not with the package")]
    return [
        (
            "checked by the naive",
            f"{told['naive_changes']:,}",
            f"{told['naive_profiles']:,} of {told['profiles']:,} profiles: all {told['naive_linked']:,} linked ones,"
            f" {told['naive_told']:,} that a payer told something, and a seeded sample in a time budget;"
            " it shares no code with the engine",
        )
    ]

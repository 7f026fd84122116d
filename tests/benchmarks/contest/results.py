"""The results as Markdown, as a picture and as JSON, in files named by date and size."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.contest.figures import Found, Open, Upset, Wakes
from tests.benchmarks.contest.machine import described
from tests.benchmarks.contest.picture import picture
from tests.benchmarks.contest.ratios import drained as rate
from tests.benchmarks.contest.ratios import ratios
from tests.benchmarks.contest.sizes import Size
from tests.benchmarks.peers.registry import ENGINES

LIMIT: Final = "null"
"""The engine that the others are divided by."""
NOTHING: Final = "–"


def write(found: Sequence[Found], name: str, size: Size, folder: Path, absent: Sequence[str] = ()) -> list[Path]:
    """Write the files; returns them. `absent`: the engines that could not run, with their reasons."""
    circumstances = described()
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{circumstances['date'][:10]}-{name}"
    files = {
        ".md": markdown(found, name, size, circumstances, f"{stem}.svg")
        + "".join(f"\nNot run: {one}.\n" for one in absent),
        ".svg": picture(found),
        ".json": json.dumps(
            {"circumstances": circumstances, "size": asdict(size), "found": [plain(one) for one in found]}, indent=1
        ),
    }
    for suffix, text in files.items():
        (folder / f"{stem}{suffix}").write_text(text)
    return [folder / f"{stem}{suffix}" for suffix in files]


def markdown(found: Sequence[Found], name: str, size: Size, circumstances: Mapping[str, str], picture_file: str) -> str:
    """Write the page."""
    parts = [
        f"# The contest, size {name}",
        "\n".join(f"- {key}: {value}" for key, value in circumstances.items()),
        (
            f"- load: {size.profiles:,} profiles, A drains {size.backlog:,} events, each rate of B lasts"
            f" {size.rate_s:g} s, {size.rounds} rounds; medians, with minimum and maximum"
        ),
        f"![events a second, and latency by rate]({picture_file})",
    ]
    for segments in dict.fromkeys(one.segments for one in found):
        these = [one for one in found if one.segments == segments]
        parts += [f"## {segments} segments", drains(these), opens(these), single(these), shares(these)]
    measured = list(ratios(found))
    if measured:
        parts += ["## Ratios", table(["Segue", "measured", "wanted"], measured)]
    parts += ["## The engines", engines({one.engine for one in found})]
    return "\n\n".join(part for part in parts if part) + "\n"


def drains(found: Sequence[Found]) -> str:
    """Phase A, and what the store holds."""
    ran = [one for one in found if one.drains]
    limit = next((rate(one) for one in ran if one.engine == LIMIT), None)
    rows = []
    for one in sorted(ran, key=rate, reverse=True):
        each = {part: 1e6 * median(drain.cpu_s[part] / drain.events for drain in one.drains) for part in CPU}
        ratio = f"{rate(one) / limit:.2f}" if limit and one.engine != LIMIT and ranked(one) else NOTHING
        rows.append(
            [
                one.engine,
                one.gate.partition(":")[0],
                spread([drain.events_per_s for drain in one.drains], "{:,.0f}"),
                ratio,
                spread([drain.events_per_cpu_s for drain in one.drains], "{:,.0f}"),
                " / ".join(f"{each[part]:.1f}" for part in CPU),
                f"{one.store_bytes:,.0f}" if one.store_bytes is not None else NOTHING,
            ]
        )
    heads = ["engine", "gate", "A, events/s", f"÷ {LIMIT}", "events per CPU-s", f"µs CPU of {' / '.join(CPU)}"]
    notes = "".join(f"\n- {one.engine}: {note}" for one in found for note in one.notes)
    return table([*heads, "bytes a profile"], rows) + (f"\n{notes}" if notes else "")


CPU: Final = ("engine", "store", "broker")


def opens(found: Sequence[Found]) -> str:
    """Phase B: p50 / p99 by rate, and p99 by the limit's."""
    labels = list(dict.fromkeys(label for one in found for label in one.opens))
    if not labels:
        return ""
    limit = {
        label: median([at.p99_ms or 0 for at in one.opens[label]])
        for one in found
        if one.engine == LIMIT
        for label in one.opens
    }
    rows = []
    for one in (one for one in found if one.opens):
        row = [one.engine]
        for label in labels:
            at = one.opens.get(label, [])
            cell = latencies(at)
            if at and one.engine != LIMIT and limit.get(label) and ranked(one):
                cell += f" ({median([each.p99_ms or 0 for each in at]) / limit[label]:.2f})"
            row.append(cell)
        rows.append(row)
    return (
        "B: p50 / p99 in ms from the scheduled send to the reader; in brackets p99 ÷ that of the null engine.\n\n"
        + table(["engine", *(f"{label}{'/s' if label[-1].isdigit() else ''}" for label in labels)], rows)
    )


def latencies(at: Sequence[Open]) -> str:
    """Write p50 / p99 of one rate."""
    if not at:
        return "more than it drains"
    cells = [spread([value for each in at if (value := of(each)) is not None], "{:,.0f}") for of in (_p50, _p99)]
    behind = sum(not each.kept_up for each in at)
    return " / ".join(cells) + (f", fell behind in {behind} of {len(at)}" if behind else "")


def _p50(at: Open) -> float | None:
    return at.p50_ms


def _p99(at: Open) -> float | None:
    return at.p99_ms


def single(found: Sequence[Found]) -> str:
    """Phases C, D and E."""
    if not any(one.wakes or one.killed or one.added for one in found):
        return ""
    rows = []
    for one in (one for one in found if one.wakes or one.killed or one.added):
        wakes = one.wakes
        rows.append(
            [
                one.engine,
                waking(wakes) if wakes else NOTHING,
                upset(one.killed, lambda at: f"{at.caught_up_s} s ({at.rate:,}/s)"),
                upset(one.added, lambda at: f"{at.before_p99_ms} → {at.after_p99_ms} ms, worst {at.worst_ms} ms"),
            ]
        )
    return table(["engine", "C: p99 lateness of wakes", "D: kill -9 to caught up", "E: p99 as 50 are added"], rows)


def waking(found: Wakes) -> str:
    """Write the lateness of wakes, and whether it says anything."""
    said = f"{found.p99_ms} ms ({found.seen:,} of {found.wakes:,})"
    return said if found.in_time else f"not measured: events came after their wakes were due; {said}"


def upset(found: Upset | None, say: Callable[[Upset], str]) -> str:
    """Write an upset, if there was one."""
    return say(found) if found else NOTHING


def shares(found: Sequence[Found]) -> str:
    """What the loader and the reader took of a core."""
    loaders = [at.cpu_s["loader"] / at.seconds for one in found for ats in one.opens.values() for at in ats]
    readers = [at.cpu_s["reader"] / at.seconds for one in found for ats in one.opens.values() for at in ats]
    if not loaders:
        return ""
    late = max(at.late_ms for one in found for ats in one.opens.values() for at in ats)
    return (
        f"In B the loader took {median(loaders):.0%} of a core (at most {max(loaders):.0%}) and the reader"
        f" {median(readers):.0%} (at most {max(readers):.0%}); the loader was at most {late:.0f} ms late."
    )


def engines(names: Iterable[str]) -> str:
    """What each engine is."""
    rows = []
    for name in sorted(names):
        engine = ENGINES.get(name)
        if engine is None:
            continue
        rows.append([name, engine.design, engine.durability, engine.limits or NOTHING])
    return table(["engine", "design", "durability", "cannot express"], rows)


def ranked(one: Found) -> bool:
    """Tell whether an engine has a rank: it has not failed the gate."""
    return not one.gate.startswith("failed")


def spread(values: Sequence[float], form: str) -> str:
    """Write the median, with minimum and maximum if there are several."""
    if not values:
        return NOTHING
    if len(values) == 1:
        return form.format(values[0])
    return f"{form.format(median(values))} ({form.format(min(values))}–{form.format(max(values))})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))


def plain(one: Found) -> dict[str, object]:
    """Return a finding for JSON: quantiles for the single latencies."""
    return {
        **asdict(one),
        "opens": {
            label: [
                {**asdict(at), "latencies_ms": len(at.latencies_ms), "p50_ms": at.p50_ms, "p99_ms": at.p99_ms}
                for at in ats
            ]
            for label, ats in one.opens.items()
        },
        "wakes": one.wakes
        and {
            **asdict(one.wakes),
            "late_ms": len(one.wakes.late_ms),
            "p50_ms": one.wakes.p50_ms,
            "p99_ms": one.wakes.p99_ms,
        },
    }

"""Segue's ratios of one run, beside what they should be. Only what the run measured is named."""

from collections.abc import Iterator, Sequence
from statistics import median

from tests.benchmarks.contest.figures import Found
from tests.benchmarks.versions import ratio

SEGUE, TWO, LIMIT = "segue", "segue-two", "null"
BEFORE = "segue-before"
"""The engine that is an earlier version of Segue."""
P99_RATES = ("2,000", "5,000", "10,000")
WANTED = {"lua": "at least 4", "streams": "per CPU-s at least 1", "flink": "per CPU-s at least 1"}
"""Of A against a peer, by the word before the dash of its name …"""
WANTED_OF_OTHERS = "at least 3"
"""… and against every other one."""


def ratios(found: Sequence[Found]) -> Iterator[tuple[str, str, str]]:
    """Return (what, measured, wanted)."""
    by = {(one.engine, one.segments): one for one in found if one.drains}
    sizes = list(dict.fromkeys(one.segments for one in found))
    for segments in sizes:
        segue, limit, two = (by.get((name, segments)) for name in (SEGUE, LIMIT, TWO))
        if segue is None:
            continue
        of = f", {segments} segments"
        if limit is not None:
            yield f"A ÷ null engine{of}", f"{drained(segue) / drained(limit):.2f}", "at least 0.5"
            for rate in P99_RATES:
                mine, its = p99(segue, rate), p99(limit, rate)
                if mine and its:
                    yield f"p99 ÷ null engine's, {rate} events/s{of}", f"{mine / its:.2f}", "at most 1.5"
        before = by.get((BEFORE, segments))
        if before is not None:
            yield from against(before, segue, of)
        if two is not None:
            yield f"two workers ÷ one{of}", f"{drained(two) / drained(segue):.2f}", "at least 1.2"
        peers = [
            one for (name, size), one in by.items() if size == segments and name not in {SEGUE, TWO, LIMIT, BEFORE}
        ]
        for peer in peers:
            if not peer.gate.startswith("failed"):
                each = (
                    median(one.events_per_cpu_s for one in segue.drains),
                    median(one.events_per_cpu_s for one in peer.drains),
                )
                yield (
                    f"A ÷ {peer.engine}{of}",
                    f"{drained(segue) / drained(peer):.1f}; per CPU-s {each[0] / each[1]:.1f}",
                    WANTED.get(peer.engine.partition("-")[0], WANTED_OF_OTHERS),
                )
        at = p99(segue, "2,000")
        if at:
            yield f"p99 at 2,000 events/s{of}", f"{at:.0f} ms", "at most 60 ms"
        if segue.wakes is not None and segue.wakes.in_time:
            yield f"p99 lateness of wakes{of}", f"{segue.wakes.p99_ms} ms", "at most 500 ms"
        if segue.store_bytes is not None:
            yield f"bytes of Valkey a profile{of}", f"{segue.store_bytes:,.0f}", "at most 700"
    few, many = by.get((SEGUE, 50)), by.get((SEGUE, 2_000))
    if few and many:
        yield "A with 2,000 ÷ 50 segments", f"{drained(many) / drained(few):.2f}", "at least 0.6"


def against(before: Found, after: Found, of: str) -> Iterator[tuple[str, str, str]]:
    """Return how much more CPU than the earlier version an event takes, by its parts, round by round."""
    for part in ("engine", "store", "broker"):
        each = [[drain.cpu_s[part] / drain.events for drain in one.drains] for one in (before, after)]
        yield f"CPU of {part} in A ÷ before{of}", ratio(*each), "at most 1"
    yield (
        f"seconds of A ÷ before{of}",
        ratio(*([one.seconds for one in found.drains] for found in (before, after))),
        "at most 1",
    )


def drained(one: Found) -> float:
    """The median of A, events/s."""
    return median(drain.events_per_s for drain in one.drains)


def p99(one: Found, label: str) -> float | None:
    """The median p99 at a rate; None: it was not measured."""
    values = [at.p99_ms for at in one.opens.get(label, []) if at.p99_ms is not None]
    return median(values) if values else None

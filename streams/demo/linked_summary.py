"""What came of links, erasures and affiliations, for the summary: numbers for programs, rows for people."""

from typing import Any, Final

from streams.demo.arrivals import Linked, Told, quantile, undisturbed_ms

_OUTCOMES: Final = ("link_exit", "link_takeover", "link_end", "erasure_exit")
"""The subject that stands for another leaves; the other enters; a journey of the other ends; an erased one leaves."""


def linked_json(linked: Linked, trouble: tuple[float | None, float | None]) -> dict[str, Any]:
    """Sum up for programs, without what was under way during the `trouble` of a kill."""
    found: dict[str, Any] = {"links": linked.links}
    took = (linked.left_took, linked.over_took, linked.ended_took, linked.erased_took)
    for name, each in zip(_OUTCOMES, took, strict=True):
        calm = undisturbed_ms(each, *trouble)
        found[f"{name}s"] = len(calm)
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            value = quantile(calm, share)
            found[f"{name}_{label}_ms"] = None if value is None else round(value, 1)
    return found


def linked_rows(told: dict[str, Any]) -> list[tuple[str, object, str]]:
    """Sum up for people; nothing where nothing was linked."""
    if not told["links"]:
        return []

    def took(name: str) -> str:
        p50, p99 = told[f"{name}_p50_ms"], told[f"{name}_p99_ms"]
        return "none" if p50 is None else f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms"

    left = f"from a link's send to the exit of the one name: {took('link_exit')}"
    over = f"to the take-over by the other: {took('link_takeover')}"
    ended = f"to the end of the other's journey: {took('link_end')}"
    wrong = told["effects_wrong"]
    said = "of links and tellings on other profiles, each once in the partition of its target"
    return [
        ("links", f"{told['links']:,}", f"{left}; {over}; {ended}"),
        ("erased", f"{told['erasure_exits']:,}", f"memberships ended by erasures: {took('erasure_exit')}"),
        ("effects", f"{told['effects']:,}", said if not wrong else f"{wrong:,} partitions have others"),
    ]


def told_json(told: Told, trouble: tuple[float | None, float | None]) -> dict[str, Any]:
    """Sum up for programs what payers told, without what was under way during the `trouble` of a kill."""
    calm = undisturbed_ms(told.took, *trouble)
    found: dict[str, Any] = {"tellings": told.tellings, "told": len(told.took)}
    for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        value = quantile(calm, share)
        found[f"told_{label}_ms"] = None if value is None else round(value, 1)
    return found


def told_rows(told: dict[str, Any]) -> list[tuple[str, object, str]]:
    """Sum up for people; nothing where no payer told anything."""
    if not told["tellings"]:
        return []
    payers = f"{told['tellings']} payers told their" if told["tellings"] > 1 else "1 payer told its"
    p50, p99, most = (told[f"told_{label}_ms"] for label in ("p50", "p99", "max"))
    took = "none" if p50 is None else f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, the last {most:,.0f} ms"
    said = f"{payers} prescribers; from its event's send to each one's entry: {took}"
    return [("told", f"{told['told']:,}", said)]

"""Rules, dashboards and pages name the metrics of the typed list and no others, with labels that they have."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.metrics.names import FAMILIES
from tests.deploy.prometheus import RUNBOOKS, Alert, alerts
from tests.deploy.test_dashboards import queries
from tests.docs.markdown import DOCS, text_of

SAMPLES = {sample: family for family in FAMILIES for sample in family.sample_names}
OTHERS = {"up", "ALERTS", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Of Prometheus itself, and of every process by prometheus-client."""
OF_SCRAPE = {"job", "instance", "namespace", "le", "alertname", "alertstate"}
"""Labels that Prometheus adds, or Kubernetes, or a histogram, or those of ALERTS."""
WORDS = {
    "by", "on", "or", "and", "unless", "offset", "bool", "ignoring", "without", "group_left", "group_right",
    "sum", "max", "min", "avg", "count", "absent", "changes", "rate", "increase", "topk", "vector", "deriv",
    "histogram_quantile", "last_over_time", "max_over_time", "predict_linear", "clamp_min", "time",
}  # fmt: skip
"""Words of PromQL."""


SHOWN_NOWHERE: dict[str, str] = {"segue_refused_records": "a held partition's sources: its runbook asks for it"}
"""Families that no dashboard shows, each with the reason."""


def names(expr: str) -> set[str]:
    """Return the metrics that an expression asks for."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare)
    return set(re.findall(r"\b[a-zA-Z_][a-zA-Z0-9_]*\b", re.sub(r"\b\d+[a-z]\b", "", bare))) - WORDS


def selectors(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric with the labels that the expression selects it by."""
    for name, inside in re.findall(r"\b([a-z_][a-z0-9_]*)\{([^}]*)\}", expr):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', inside)))


def wrong(expr: str) -> list[str]:
    """Return what an expression asks for and nobody tells."""
    found = [name for name in names(expr) if name not in SAMPLES and name not in OTHERS]
    for name, labels in selectors(expr):
        allowed = OF_SCRAPE | set(SAMPLES[name].labels if name in SAMPLES else ())
        found += [f"{name}{{{label}}}" for label in labels - allowed]
    grouped = {
        label.strip()
        for inside in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expr)
        for label in inside.split(",")
        if label.strip()
    }
    allowed = OF_SCRAPE.union(*(SAMPLES[name].labels for name in names(expr) if name in SAMPLES))
    return found + [f"by ({label})" for label in grouped - allowed]


def test_what_is_wrong_is_noticed() -> None:
    assert wrong("max by (job, partition) (segue_input_lag_seconds) > 60") == []
    assert wrong("segue_input_lag_minutes > 1") == ["segue_input_lag_minutes"]
    assert wrong('segue_gaps_total{channel="email"}') == ["segue_gaps_total{channel}"]
    assert wrong("sum by (channel) (segue_gaps_total)") == ["by (channel)"]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_asks_for_metrics_and_labels_that_there_are(alert: Alert) -> None:
    assert wrong(alert.expr) == []


@pytest.mark.parametrize(("panel", "expr"), list(queries()))
def test_a_panel_asks_for_metrics_and_labels_that_there_are(panel: str, expr: str) -> None:
    assert wrong(expr) == []


def test_every_metric_of_the_list_is_shown_somewhere() -> None:
    shown = {SAMPLES[name].name for _, expr in queries() for name in names(expr) if name in SAMPLES}
    assert {family.name for family in FAMILIES} - shown == set(SHOWN_NOWHERE)


@pytest.mark.parametrize(
    "page", [*sorted(RUNBOOKS.glob("*.md")), DOCS / "operations" / "watching.md"], ids=lambda p: p.stem
)
def test_a_page_names_metrics_that_there_are(page: Path) -> None:
    told = set(re.findall(r"`((?:segue|process)_[a-z_]+)`", text_of(page)))
    known = {family.name for family in FAMILIES} | OTHERS | {"segue_reason", "segue_place"}
    assert told <= known

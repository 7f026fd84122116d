"""Readings as Prometheus reads them: families of prometheus-client, made when somebody scrapes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streams.metrics.histogram import Histogram
from streams.metrics.names import Family


class Reading(NamedTuple):
    """One value of one time series."""

    family: Family
    labels: tuple[str, ...]
    """The values of the family's labels, in their order."""
    value: float | Histogram


Read: TypeAlias = Callable[[], Iterable[Reading]]
"""Returns what there is to tell now."""


class Exposition(Collector):
    """Answers with every family of a process; one without readings has its help only."""

    def __init__(self, families: Sequence[Family], read: Read) -> None:
        self._families = families
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Return all families with their values of now. Raises KeyError: a reading of a family that is not listed."""
        found: dict[str, list[Reading]] = defaultdict(list)
        for reading in self._read():
            found[reading.family.name].append(reading)
        metrics = [_metric(family, found.pop(family.name, [])) for family in self._families]
        if found:
            raise KeyError(f"not among the families of this process: {sorted(found)}")
        return metrics


def _metric(family: Family, readings: Sequence[Reading]) -> Metric:
    unit = family.unit if family.unit and family.base.endswith(f"_{family.unit}") else ""
    if family.kind == "info":
        info = InfoMetricFamily(family.base, family.help)
        for each in readings:
            info.add_metric([], dict(zip(family.labels, each.labels, strict=True)))
        return info
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.base, family.help, labels=family.labels, unit=unit)
        for each in readings:
            assert isinstance(each.value, Histogram)
            histogram.add_metric(each.labels, each.value.buckets(), each.value.sum)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.base, family.help, labels=family.labels, unit=unit)
    for each in readings:
        assert not isinstance(each.value, Histogram)
        assert len(each.labels) == len(family.labels)
        plain.add_metric(each.labels, each.value)
    return plain

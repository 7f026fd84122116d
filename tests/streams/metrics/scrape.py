"""What a process answers at /metrics, read as Prometheus reads it."""

import socket
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Scrape:
    """One answer."""

    text: str
    families: Mapping[str, str]
    """Kind by name of family; in OpenMetrics without _total."""
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: object) -> float | None:
        """Return the value of one time series; None: it is absent."""
        return self.samples.get((name, frozenset((key, str(value)) for key, value in labels.items())))

    def sum(self, name: str, **labels: object) -> float:
        """Add up the time series of a name that have these labels."""
        asked = {(key, str(value)) for key, value in labels.items()}
        return sum(value for (found, of), value in self.samples.items() if found == name and asked <= of)

    def has(self, name: str) -> bool:
        """Tell whether a name has a time series."""
        return any(found == name for found, _ in self.samples)

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values of a label."""
        return {dict(of)[label] for found, of in self.samples if found == name}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def scrape(port: int, accept: str = OPENMETRICS) -> Scrape:
    """Ask 127.0.0.1:port. Raises OSError."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read().decode()
        openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics == (accept == OPENMETRICS)
    found = list(read_openmetrics(text) if openmetrics else read_text(text))  # type: ignore[no-untyped-call]
    samples = {(each.name, frozenset(each.labels.items())): each.value for family in found for each in family.samples}
    return Scrape(text, {family.name: family.type for family in found}, samples)

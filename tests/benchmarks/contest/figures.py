"""What a run measured: values of each phase, and quantiles."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.demo import arrivals


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile of values, in tenths; None of none."""
    found = arrivals.quantile(values, share)
    return None if found is None else round(found, 1)


@dataclass
class Drain:
    """Phase A."""

    events: int
    seconds: float
    """From the first set of markers to the second."""
    cpu_s: dict[str, float]
    """Of engine, store, broker, reader, meanwhile."""

    @property
    def events_per_s(self) -> float:
        """Events in a second."""
        return self.events / self.seconds

    @property
    def events_per_cpu_s(self) -> float:
        """Events for each CPU second of engine, store and broker."""
        return self.events / max(1e-9, sum(self.cpu_s[part] for part in ("engine", "store", "broker")))


@dataclass
class Open:
    """Phase B at one rate."""

    rate: int
    seconds: float
    latencies_ms: list[float]
    """From its scheduled send to the last of its changes, one for each event that changed something; without the first
    two seconds."""
    late_ms: float
    """How late the loader was at worst."""
    cpu_s: dict[str, float]
    kept_up: bool = True
    """False: more than half of the last second's changes came a second late or later."""

    @property
    def p50_ms(self) -> float | None:
        """The median."""
        return quantile(self.latencies_ms, 0.5)

    @property
    def p99_ms(self) -> float | None:
        """The 99th percentile."""
        return quantile(self.latencies_ms, 0.99)


@dataclass
class Upset:
    """Phases D and E: latency while something happens."""

    rate: int
    at_s: float
    """When it happened, in seconds after the load's begin."""
    caught_up_s: float | None
    """From then on: when the last change came that was over `CAUGHT_UP_MS` late; None: to the end."""
    before_p99_ms: float | None
    after_p99_ms: float | None
    worst_ms: float | None


@dataclass
class Wakes:
    """Phase C."""

    wakes: int
    seen: int
    late_ms: list[float]
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Of engine, store, broker, reader, from the first wake that is due until the phase is over."""
    in_time: bool = True
    """False: not every event was applied before the first wake was due. Then the lateness is not that of wakes: the
    machine was too slow for the time that the phase left."""

    @property
    def p50_ms(self) -> float | None:
        """The median of the lateness."""
        return quantile(self.late_ms, 0.5)

    @property
    def p99_ms(self) -> float | None:
        """The 99th percentile of the lateness."""
        return quantile(self.late_ms, 0.99)


@dataclass
class Found:
    """All that was measured of one engine with one catalogue."""

    engine: str
    segments: int
    gate: str = "not asked"
    """`passed`, `no rules`, `not asked`, or what differs."""
    store_bytes: float | None = None
    """Of Valkey, a profile."""
    drains: list[Drain] = field(default_factory=list)
    opens: dict[str, list[Open]] = field(default_factory=dict)
    """By rate, `75 %` apart."""
    wakes: Wakes | None = None
    killed: Upset | None = None
    added: Upset | None = None
    notes: list[str] = field(default_factory=list)

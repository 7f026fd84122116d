"""Why a process is not ready, as values: /ready, `segue doctor`, metrics and bundles show the same reasons.

A *reason* keeps a process from being ready. A *notice* does not: waiting would not help, a person must decide. The
codes are for programs and do not change; the sentences are for people and may. Neither holds a subject, a payload or a
credential. `REASONS` is the table that docs/operations/health.md draws.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from rules.ground.instants import format_instant

ReasonCode = Literal[
    "starting",
    "not_assigned",
    "dependency_away",
    "partition_starting",
    "partition_waits",
    "partition_behind",
    "input_silent",
    "endpoint_waits",
    "stopping",
    "failed",
    "partition_stopped",
    "partition_held",
    "no_catalogue",
]

REASONS: Final[Mapping[ReasonCode, str]] = {
    "starting": "The process asks its servers and their settings before it begins.",
    "not_assigned": "The consumer group has given this process no answer yet about its partitions.",
    "dependency_away": "Kafka or Redis does not answer within 2 s, or refuses.",
    "partition_starting": "A partition is claimed, replayed or handed over.",
    "partition_waits": "A partition cannot go on: the sentence says what it tries again.",
    "partition_behind": "The oldest record that is not applied is older than `SEGUE_READY_LAG_MS_MAX`.",
    "input_silent": "The consumer reads nothing although the log goes on.",
    "endpoint_waits": "The endpoint of a deliverer does not answer, or asks to wait.",
    "stopping": "The process was asked to stop.",
    "failed": "The process ends because of a fault.",
    "partition_stopped": "Notice: an incident; a person must decide. The other partitions go on.",
    "partition_held": "Notice: too many records were refused; `segue resume` lets it go on, or a calm log does.",
    "no_catalogue": "Notice: no catalogue is in force in a partition, so its events change nothing.",
}
assert set(REASONS) == set(get_args(ReasonCode))
NOTICES: Final[frozenset[ReasonCode]] = frozenset({"partition_stopped", "partition_held", "no_catalogue"})
"""The codes that leave a process ready."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, or one notice."""

    code: ReasonCode
    sentence: str
    """One plain sentence, without a full stop."""
    partition: int | None = None
    """None: it is no matter of one partition."""
    dependency: str = ""
    """kafka, redis or endpoint; "": it is no matter of one server."""
    since_ms: int | None = None
    """UTC epoch ms; None: nobody has noted it yet."""

    @property
    def key(self) -> tuple[str, int | None, str]:
        """What stays the same while the reason stands; its sentence may change."""
        return self.code, self.partition, self.dependency

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value; what does not apply is left out."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            **({} if self.partition is None else {"partition": self.partition}),
            **({"dependency": self.dependency} if self.dependency else {}),
            **({} if self.since_ms is None else {"since": format_instant(self.since_ms)}),
        }


class Standing:
    """Remembers since when each reason stands."""

    def __init__(self) -> None:
        self._since_ms: dict[tuple[str, int | None, str], int] = {}

    def noted(self, reasons: Iterable[Reason], wall_ms: int) -> tuple[Reason, ...]:
        """Return the reasons with since when they stand; forget those that are gone. Call it every second or so."""
        dated = tuple(
            replace(
                each,
                since_ms=self._since_ms.get(each.key, wall_ms) if each.since_ms is None else each.since_ms,
            )
            for each in reasons
        )
        self._since_ms = {each.key: each.since_ms for each in dated if each.since_ms is not None}
        return dated


def ready_page(reasons: Iterable[Reason]) -> tuple[int, dict[str, Any]]:
    """Return the answer of /ready to reasons and notices together: 200 unless a reason stands."""
    found = list(reasons)
    against = [each.as_json() for each in found if each.code not in NOTICES]
    notices = [each.as_json() for each in found if each.code in NOTICES]
    return 503 if against else 200, {"ready": not against, "reasons": against, "notices": notices}

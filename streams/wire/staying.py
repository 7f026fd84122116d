"""How long a record stays on the brokers' disks at most, by the settings of its topic. Pure.

Kafka takes records away by whole segments (files), and only closed ones. So a bound is a sum:

`delete`:   until the segment rolls (`segment.ms`), and then `retention.ms`. The broker also deletes the open segment of
            a partition to which nothing is appended.
`compact`:  until the segment rolls, and then until the cleaner has been (`max.compaction.lag.ms`). A segment rolls only
            when something is appended, so a worker appends to a partition that is quiet (`streams.worker.rolling`):
            SEGUE_ROLL_AFTER_MS stands in the sum, too. Then the value is gone. Its tombstone holds the key for
            `delete.retention.ms` more, and goes with the next cleaning, which takes as long as the first.

Apache Kafka: UnifiedLog.deleteOldSegments, LogSegment.shouldRoll, LogCleanerManager.maxCompactionDelay, KIP-354,
KIP-534. tests/streams/worker/test_rolling.py looks into the files of a real broker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rules.ground.instants import MS_PER_DAY
from streams.finding import Finding
from streams.settings import Deployment
from streams.wire.topics import Topic

BROKER_LOOKS_MS: Final = 3 * 3_600_000
"""Between the instant at which a broker may take a file away and the instant at which the file is gone. The broker
looks every 5 min and deletes 1 min later; a record may be stamped 1 h ahead (`message.timestamp.after.max.ms`)."""
FILE_DELAY_MS: Final = 60_000
"""Kafka's own `file.delete.delay.ms`, which BROKER_LOOKS_MS holds; a longer one is added."""
UNBOUNDED_MS: Final = 1 << 62
"""From here on a setting means never. `max.compaction.lag.ms` is 2^63 - 1 unless it is set."""
NAMELESS: Final = frozenset({"progress", "owners", "catalogues", "fills", "erasures"})
"""Roles of topics that hold no subject."""
_COMPACTED: Final = ("max.compaction.lag.ms", "delete.retention.ms")


@dataclass(frozen=True, slots=True)
class Staying:
    """How long a record stays at most, in ms; None: for ever, or not known."""

    value_ms: int | None
    """Its value."""
    key_ms: int | None
    """Its key, which is the subject or begins with it; as long as the value where the topic is not compacted."""


def staying(configs: Mapping[str, str], roll_after_ms: int, looks_ms: int = BROKER_LOOKS_MS) -> Staying:
    """Compute how long a record of a topic stays after it was written, or after the tombstone that ended it."""
    looks_ms += max(0, (_ms(configs, "file.delete.delay.ms") or 0) - FILE_DELAY_MS)
    roll_ms, jitter_ms = _ms(configs, "segment.ms"), _ms(configs, "segment.jitter.ms") or 0
    if configs.get("cleanup.policy") == "delete":
        kept_ms = _ms(configs, "retention.ms")
        if kept_ms is None or roll_ms is None:
            return Staying(None, None)
        total_ms = kept_ms + roll_ms + jitter_ms + looks_ms
        return Staying(total_ms, total_ms)
    lag_ms, horizon_ms = _ms(configs, "max.compaction.lag.ms"), _ms(configs, "delete.retention.ms")
    if configs.get("cleanup.policy") != "compact" or lag_ms is None:
        return Staying(None, None)
    roll_ms = min(lag_ms, lag_ms if roll_ms is None else roll_ms)
    cleaned_ms = max(roll_ms + jitter_ms + roll_after_ms, lag_ms) + looks_ms
    return Staying(cleaned_ms, None if horizon_ms is None else 2 * cleaned_ms + horizon_ms)


def _ms(configs: Mapping[str, str], name: str) -> int | None:
    """Read a setting; None: it is not known, or means for ever."""
    value = int(configs.get(name, -1))
    return value if 0 <= value < UNBOUNDED_MS else None


def judge_staying(topic: Topic, configs: Mapping[str, str] | None, deployment: Deployment) -> list[Finding]:
    """Say whether records of an existing topic stay for longer than SEGUE_ERASURE_DAYS_MAX allows.

    `configs` None: they may not be read, and nothing is said; nor of another `cleanup.policy`, which is refused anyway.
    """
    days_max, policy = deployment.erasure_days_max, topic.configs["cleanup.policy"]
    if not days_max or topic.role in NAMELESS or configs is None or configs.get("cleanup.policy") != policy:
        return []
    stays_ms = staying(configs, deployment.roll_after_ms).key_ms
    if stays_ms is not None and stays_ms <= days_max * MS_PER_DAY:
        return []
    how_long = "for ever" if stays_ms is None else f"for up to {stays_ms / MS_PER_DAY:.1f} days"
    what = f"records of a person stay on disk {how_long}, SEGUE_ERASURE_DAYS_MAX is {days_max}"
    kept = ("retention.ms",) if policy == "delete" else _COMPACTED
    wanted = " and ".join(f"{name} to {topic.configs[name]}" for name in (*kept, "segment.ms"))
    remedy = f"set {wanted} at most; or raise SEGUE_ERASURE_DAYS_MAX (0: nothing is refused)"
    return [Finding(f"topic {topic.name}", what, remedy)]


def judge_backups(deployment: Deployment) -> list[Finding]:
    """Say whether backups of Redis are kept for longer than SEGUE_ERASURE_DAYS_MAX allows."""
    days, days_max = deployment.redis_backup_days, deployment.erasure_days_max
    if not days_max or days <= days_max:
        return []
    what = f"backups of Redis are kept for {days} days (SEGUE_REDIS_BACKUP_DAYS), SEGUE_ERASURE_DAYS_MAX is {days_max}"
    return [Finding("settings", what, "keep backups for a shorter time, or raise SEGUE_ERASURE_DAYS_MAX")]

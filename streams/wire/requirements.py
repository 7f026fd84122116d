"""What must hold of the topics and brokers of a deployment, and what is wrong where it does not.

`segue topics` and the start of a worker ask this. A requirement says why it is there, in the words that the user reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rules.ground.instants import MS_PER_DAY
from streams.finding import Finding
from streams.settings import Deployment
from streams.wire.staying import judge_staying
from streams.wire.topics import RECORD_BYTES_MIN, SMALL_SEGMENT_BYTES, Role, Topic

KEPT_MIN_MS: Final = 7 * MS_PER_DAY
"""If the input is kept for a shorter time, a finding advises a longer one."""
RETENTION_CHECK_MAX_MS: Final = MS_PER_DAY // 24
"""If brokers look for records to delete less often, a finding advises to look more often."""
SMALL_SEGMENT_BYTES_MAX: Final = 64 << 20
"""If segments of an internal topic are larger, a finding advises smaller ones."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must hold of one setting of an existing topic or broker."""

    config: str
    holds: Callable[[str], bool]
    want: str
    why: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Resource:
    """A topic or a broker as the cluster describes it."""

    name: str
    partitions: int = 0
    replicas_min: int = 0
    """Replicas of the partition that has the fewest."""
    configs: Mapping[str, str] | None = field(default_factory=dict)
    """Its settings; None: this user may not read them."""


def _policy(want: str, why: str) -> Requirement:
    return Requirement("cleanup.policy", lambda value: value == want, want, why)


_WHOLE: Final = _policy("delete", "compaction would drop all but the last record of a subject")
_STANDING: Final = _policy("compact", "deletion by age would drop records that still hold")
_ROOM: Final = Requirement(
    "max.message.bytes",
    lambda value: int(value) >= RECORD_BYTES_MIN,
    str(RECORD_BYTES_MIN),
    "a record that does not fit would stop the partition",
)
_SMALL: Final = Requirement(
    "segment.bytes",
    lambda value: int(value) <= SMALL_SEGMENT_BYTES_MAX,
    str(SMALL_SEGMENT_BYTES),
    "claims read everything that is not compacted yet",
    fatal=False,
)
_WIDE: Final = Requirement(
    "segment.bytes",
    lambda value: int(value) >= RECORD_BYTES_MIN,
    str(2 * RECORD_BYTES_MIN),
    "a catalogue larger than a segment would be refused",
)
_REQUIREMENTS: Final[Mapping[Role, tuple[Requirement, ...]]] = {
    "events": (
        _WHOLE,
        Requirement(
            "message.timestamp.type",
            lambda value: value == "LogAppendTime",
            "LogAppendTime",
            "each producer's clock would decide about time",
        ),
        Requirement(
            "retention.ms",
            lambda value: int(value) == -1 or int(value) >= KEPT_MIN_MS,
            f"{KEPT_MIN_MS} or more",
            "state from a Redis backup older than this cannot be caught up",
            fatal=False,
        ),
        Requirement(
            "retention.bytes",
            lambda value: int(value) == -1,
            "-1",
            "under load, retention by size drops records sooner",
            fatal=False,
        ),
    ),
    "dead_letters": (
        _policy("delete", "a compacted topic refuses records without a key, and with them the whole transaction"),
        _ROOM,
    ),
    "membership": (_WHOLE, _ROOM),
    "current": (_STANDING, _ROOM),
    "restricted": (_WHOLE, _ROOM),
    "restricted_current": (_STANDING, _ROOM),
    "activation": (_WHOLE, _ROOM),
    "activation_current": (_STANDING, _ROOM),
    "activation_dead_letters": (_WHOLE, _ROOM),
    "progress": (_STANDING, _ROOM, _SMALL),
    "owners": (_STANDING, _ROOM, _SMALL),
    "catalogues": (_STANDING, _ROOM, _WIDE),
    "fills": (_STANDING, _ROOM, _SMALL),
    "erasures": (_policy("delete", "compaction would drop all but the last answer to an erasure"),),
}
_REPLICATED: Final = (
    Requirement(
        "min.insync.replicas",
        lambda value: int(value) >= 2,
        "2",
        "a record that only one broker has is lost with that broker",
    ),
    Requirement(
        "unclean.leader.election.enable",
        lambda value: value == "false",
        "false",
        "a replica that is behind could become the leader, and records would be lost",
    ),
)
_BROKER: Final = (
    Requirement(
        "transaction.partition.verification.enable",
        lambda value: value == "true",
        "true",
        "a late write could join another transaction",
    ),
)
_CLEANS: Final = Requirement(
    "log.cleaner.enable",
    lambda value: value == "true",
    "true",
    "compacted topics would grow for ever, and nobody in them could be erased",
)
_LOOKS: Final = Requirement(
    "log.retention.check.interval.ms",
    lambda value: int(value) <= RETENTION_CHECK_MAX_MS,
    f"{RETENTION_CHECK_MAX_MS} or less",
    "`segue privacy` counts on it when it says by when a person is gone from every disk",
    fatal=False,
)
_BROKER_REPLICATED: Final = (
    Requirement(
        "transaction.state.log.min.isr",
        lambda value: int(value) >= 2,
        "2",
        "a commit that only one broker has is lost with that broker",
    ),
    Requirement(
        "transaction.state.log.replication.factor",
        lambda value: int(value) >= 3,
        "3",
        "no transaction can end while its only coordinator is away",
    ),
)


def judge_topic(topic: Topic, found: Resource, deployment: Deployment) -> list[Finding]:
    """Compare an existing topic with the table; return what is wrong."""
    where = f"topic {topic.name}"
    findings = []
    if found.partitions != topic.partitions:
        what, remedy = (
            (f"it has {found.partitions} partitions, it must have one", "make it anew, and `segue apply` again")
            if topic.role == "catalogues"
            else (
                f"it has {found.partitions} partitions, this deployment has {topic.partitions}",
                "the count is fixed for a deployment's life: set SEGUE_PARTITIONS to it,"
                " or begin a new generation with new topics",
            )
        )
        findings.append(Finding(where, what, remedy))
    if found.replicas_min < deployment.replication:
        what = f"a partition has {found.replicas_min} replicas, SEGUE_REPLICATION asks for {deployment.replication}"
        findings.append(Finding(where, what, "reassign its partitions (kafka-reassign-partitions)"))
    requirements = _REQUIREMENTS[topic.role] + (_REPLICATED if deployment.replication > 1 else ())
    findings += judge_configs(where, found, requirements)
    return findings + judge_staying(topic, found.configs, deployment)


def judge_broker(found: Resource, deployment: Deployment) -> list[Finding]:
    """Compare a broker's settings with what publishing needs; return what is wrong."""
    requirements = _BROKER + (_BROKER_REPLICATED if deployment.replication > 1 else ())
    if "log.cleaner.enable" in (found.configs or {}):
        requirements += (_CLEANS,)
    if "log.retention.check.interval.ms" in (found.configs or {}):
        requirements += (_LOOKS,)
    return judge_configs(f"broker {found.name}", found, requirements)


def judge_configs(where: str, found: Resource, requirements: tuple[Requirement, ...]) -> list[Finding]:
    """Compare settings with requirements; return what is wrong."""
    if found.configs is None:
        names = ", ".join(requirement.config for requirement in requirements)
        return [Finding(where, "this user may not read its settings", f"check {names} yourself", fatal=False)]
    findings = []
    for requirement in requirements:
        value = found.configs.get(requirement.config)
        if value is None or not requirement.holds(value):
            remedy = f"set it to {requirement.want}: {requirement.why}"
            findings.append(
                Finding(where, f"{requirement.config} is {value or 'not known'}", remedy, requirement.fatal)
            )
    return findings

"""The topics of a deployment as a table: names, policies, and what must hold of those that exist already.

`provision` creates and verifies them, `asyncapi` describes them, `tests/streams/wire/test_topics.py` holds the table
against a real broker. Why the settings are what they are stands beside each.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from rules.ground.instants import MS_PER_DAY
from streams.finding import Finding
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics

Role: TypeAlias = Literal[
    "events",
    "dead_letters",
    "membership",
    "current",
    "restricted",
    "restricted_current",
    "progress",
    "owners",
    "catalogues",
    "activation",
    "activation_current",
    "activation_dead_letters",
]

KEPT_MS: Final = 30 * MS_PER_DAY
"""Retention of the input, and of what came of it: a Redis backup as old as that can still be caught up from the log,
and a consumer that was away as long misses nothing. Longer costs disk only."""
KEPT_MIN_MS: Final = 7 * MS_PER_DAY
"""Below this the input's retention is worth a word."""
TOMBSTONES_KEPT_MS: Final = 7 * MS_PER_DAY
"""How long a reader of standing memberships may be away before it can miss an exit."""
RECORD_BYTES_MIN: Final = 8 << 20
"""What every topic that we write to must take: the largest record (8,000,000 bytes, see `streams.log.producer`) and its
batch. A change repeats its subject five times, and a subject may be nearly as long as an event; a catalogue of
thousands of segments is one record."""
SMALL_SEGMENT_BYTES: Final = 1 << 20
"""The smallest that Kafka 4 allows: only closed segments are compacted, and claims read all that is left."""
SMALL_SEGMENT_BYTES_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is created. `summary`: one sentence for people."""

    role: Role
    name: str
    partitions: int
    summary: str
    configs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What must hold of one setting of an existing topic."""

    config: str
    holds: Callable[[str], bool]
    want: str
    why: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Described:
    """A topic or a broker as the cluster tells it."""

    name: str
    partitions: int = 0
    replicas_min: int = 0
    """Replicas of the partition that has fewest."""
    configs: Mapping[str, str] | None = field(default_factory=dict)
    """None: this user may not ask."""


_LARGE: Final = {"max.message.bytes": str(RECORD_BYTES_MIN)}
_COMPACTED: Final = {
    **_LARGE,
    "cleanup.policy": "compact",
    "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
    # a subject that left, or was erased, is gone from the disk after a day and the tombstone's time at the latest
    "max.compaction.lag.ms": str(MS_PER_DAY),
}
_INTERNAL: Final = {
    **_LARGE,
    "cleanup.policy": "compact",
    "segment.bytes": str(SMALL_SEGMENT_BYTES),
    "segment.ms": str(MS_PER_DAY // 24),
    "min.cleanable.dirty.ratio": "0.1",
    # claims and progress are read by workers that are there now: an old tombstone tells nobody anything
    "delete.retention.ms": str(MS_PER_DAY // 24),
}
_KEPT: Final = {"cleanup.policy": "delete", "retention.ms": str(KEPT_MS)}
_CONFIGS: Final[Mapping[Role, Mapping[str, str]]] = {
    # LogAppendTime: time is what the broker saw, not what a producer's clock says (design section 3)
    "events": {**_KEPT, "message.timestamp.type": "LogAppendTime"},
    "dead_letters": {**_KEPT, **_LARGE},
    "membership": {**_KEPT, **_LARGE},
    "current": _COMPACTED,
    "restricted": {**_KEPT, **_LARGE},
    "restricted_current": _COMPACTED,
    "progress": _INTERNAL,
    "owners": _INTERNAL,
    "activation": {**_KEPT, **_LARGE},
    "activation_current": _COMPACTED,
    "activation_dead_letters": {**_KEPT, **_LARGE},
    # a batch that is larger than a segment is refused
    "catalogues": {**_INTERNAL, "segment.bytes": str(2 * RECORD_BYTES_MIN)},
}
_SUMMARIES: Final[Mapping[Role, str]] = {
    "events": "Engagement events in: CloudEvents, structured or binary, the subject as key.",
    "dead_letters": "Refused events, untouched, with the reason and their origin in headers.",
    "membership": "Every membership change, once, in order for each profile.",
    "current": "Who is in what now: the standing memberships; a tombstone on exit, or as it becomes restricted.",
    "restricted": "Membership changes of restricted segments.",
    "restricted_current": "Standing memberships of restricted segments, since their first entry as such.",
    "progress": "Internal: up to where the changes of a partition are out.",
    "owners": "Internal: who has claimed a partition.",
    "catalogues": "Internal: catalogues by their hash.",
    "activation": "Whom a channel may contact, and no longer, once, in order for each profile.",
    "activation_current": "Who is active in a channel now, and with what: a tombstone when it ends.",
    "activation_dead_letters": "Changes of a channel that its platform refused for good, untouched, with the reason.",
}


def topics(deployment: Deployment) -> tuple[Topic, ...]:
    """List the topics of a deployment, in the order in which they are created and documented."""
    restricted, restricted_current = restricted_topics(deployment)
    names: Mapping[Role, str] = {
        "events": deployment.events_topic,
        "dead_letters": deployment.dead_letter_topic,
        "membership": deployment.membership_topic,
        "current": deployment.current_topic,
        "restricted": restricted,
        "restricted_current": restricted_current,
        "progress": deployment.progress_topic,
        "owners": deployment.owners_topic,
        "catalogues": deployment.catalogues_topic,
    }
    durable = {"min.insync.replicas": str(in_sync_min(deployment)), "unclean.leader.election.enable": "false"}
    return tuple(
        Topic(
            role=role,
            name=names[role],
            # catalogues are few and read whole: one partition keeps them in the order of their making
            partitions=1 if role == "catalogues" else deployment.partitions,
            summary=_SUMMARIES[role],
            configs={**_CONFIGS[role], **durable},
        )
        for role in ROLES
    )


CHANNEL_ROLES: Final[tuple[Role, ...]] = ("activation", "activation_current")
"""Those that every channel has one of."""
DELIVERY_ROLES: Final[tuple[Role, ...]] = ("activation_dead_letters",)
"""Those of a channel that is delivered by `segue deliver`."""
ROLES: Final[tuple[Role, ...]] = tuple(role for role in get_args(Role) if role not in (*CHANNEL_ROLES, *DELIVERY_ROLES))
"""Those of which a deployment has one, whatever its catalogue."""


def activation_topics(deployment: Deployment, channels: Iterable[str]) -> tuple[Topic, ...]:
    """List the topics of channels: of each the changes, then the snapshot. `segue apply` creates them."""
    durable = {"min.insync.replicas": str(in_sync_min(deployment)), "unclean.leader.election.enable": "false"}
    return tuple(
        Topic(role, name, deployment.partitions, _SUMMARIES[role], {**_CONFIGS[role], **durable})
        for channel in channels
        for role, name in zip(CHANNEL_ROLES, channel_topics(deployment, channel), strict=True)
    )


def delivery_topic(deployment: Deployment, channel: str) -> Topic:
    """Name the topic for what a channel's platform refuses. `segue deliver` creates it, for channels so delivered."""
    [role] = DELIVERY_ROLES
    durable = {"min.insync.replicas": str(in_sync_min(deployment)), "unclean.leader.election.enable": "false"}
    name = f"{channel_topics(deployment, channel)[0]}.dlt"
    return Topic(role, name, deployment.partitions, _SUMMARIES[role], {**_CONFIGS[role], **durable})


def in_sync_min(deployment: Deployment) -> int:
    """How many replicas must have a record before it counts as written: two wherever there are two."""
    return 2 if deployment.replication > 1 else 1


def _policy(want: str, why: str) -> Demand:
    return Demand("cleanup.policy", lambda value: value == want, want, why)


_WHOLE: Final = _policy("delete", "compaction would drop all but the last record of a subject")
_STANDING: Final = _policy("compact", "deletion by age would drop what still holds")
_ROOM: Final = Demand(
    "max.message.bytes",
    lambda value: int(value) >= RECORD_BYTES_MIN,
    str(RECORD_BYTES_MIN),
    "a record that does not fit would stop the partition",
)
_SMALL: Final = Demand(
    "segment.bytes",
    lambda value: int(value) <= SMALL_SEGMENT_BYTES_MAX,
    str(SMALL_SEGMENT_BYTES),
    "claims read what compaction has not reached yet",
    fatal=False,
)
_WIDE: Final = Demand(
    "segment.bytes",
    lambda value: int(value) >= RECORD_BYTES_MIN,
    str(2 * RECORD_BYTES_MIN),
    "a catalogue larger than a segment would be refused",
)
_DEMANDS: Final[Mapping[Role, tuple[Demand, ...]]] = {
    "events": (
        _WHOLE,
        Demand(
            "message.timestamp.type",
            lambda value: value == "LogAppendTime",
            "LogAppendTime",
            "time would be what each producer's clock says",
        ),
        Demand(
            "retention.ms",
            lambda value: int(value) == -1 or int(value) >= KEPT_MIN_MS,
            str(KEPT_MS),
            "state from a Redis backup older than this cannot be caught up",
            fatal=False,
        ),
        Demand(
            "retention.bytes",
            lambda value: int(value) == -1,
            "-1",
            "retention by size makes its length in time a matter of load",
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
}
_REPLICATED: Final = (
    Demand(
        "min.insync.replicas",
        lambda value: int(value) >= 2,
        "2",
        "what one broker alone has acknowledged is lost with it",
    ),
    Demand(
        "unclean.leader.election.enable",
        lambda value: value == "false",
        "false",
        "a replica that is behind would become the truth",
    ),
)
_BROKER: Final = (
    Demand(
        "transaction.partition.verification.enable",
        lambda value: value == "true",
        "true",
        "a late write could join a transaction that is not its own",
    ),
)
_BROKER_REPLICATED: Final = (
    Demand(
        "transaction.state.log.min.isr",
        lambda value: int(value) >= 2,
        "2",
        "a commit that one broker alone knows is lost with it",
    ),
    Demand(
        "transaction.state.log.replication.factor",
        lambda value: int(value) >= 3,
        "3",
        "no transaction can end while its one coordinator is away",
    ),
)


def judge_topic(topic: Topic, found: Described, deployment: Deployment) -> list[Finding]:
    """Hold a topic that exists against the table."""
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
    demands = _DEMANDS[topic.role] + (_REPLICATED if deployment.replication > 1 else ())
    return findings + judge_configs(where, found, demands)


def judge_broker(found: Described, deployment: Deployment) -> list[Finding]:
    """Hold a broker's settings against what publishing needs."""
    demands = _BROKER + (_BROKER_REPLICATED if deployment.replication > 1 else ())
    return judge_configs(f"broker {found.name}", found, demands)


def judge_configs(where: str, found: Described, demands: tuple[Demand, ...]) -> list[Finding]:
    """Hold settings against demands."""
    if found.configs is None:
        names = ", ".join(demand.config for demand in demands)
        return [Finding(where, "this user may not ask for its settings", f"see for yourself to {names}", fatal=False)]
    findings = []
    for demand in demands:
        value = found.configs.get(demand.config)
        if value is None or not demand.holds(value):
            remedy = f"set it to {demand.want}: {demand.why}"
            findings.append(Finding(where, f"{demand.config} is {value or 'not known'}", remedy, demand.fatal))
    return findings

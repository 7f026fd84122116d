"""The topics of a deployment as a table: roles, names, settings. Each setting has its reason beside it.

`segue topics` creates them, `requirements` says what must hold of existing ones, `asyncapi` describes them.
tests/streams/wire/test_topics.py holds the table against a real broker.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from rules.ground.instants import MS_PER_DAY
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
    "fills",
    "erasures",
    "activation",
    "activation_current",
    "activation_dead_letters",
]

KEPT_MS: Final = 30 * MS_PER_DAY
"""The longest retention of the input and of the changes that `segue topics` gives. State from a Redis backup of this
age can still catch up from the log, and a consumer that was away for so long misses nothing."""
ROLL_MS: Final = MS_PER_DAY
"""A segment of records that name profiles is closed after this, so that all of them leave the disk at most so much
later than they might."""
ERASURE_ROOM_MS: Final = ROLL_MS + MS_PER_DAY
"""By so much the retention is shorter than SEGUE_ERASURE_DAYS_MAX: a segment rolls, and the broker looks."""
TOMBSTONES_KEPT_MS: Final = 7 * MS_PER_DAY
"""A reader of standing memberships that is away for longer than this may miss an exit."""
RECORD_BYTES_MIN: Final = 8 << 20
"""`max.message.bytes` of every topic that Segue writes to: the largest record (8,000,000 bytes, `streams.log.producer`)
and its batch fit. A change repeats its subject five times, and a subject may be nearly as long as an event; a catalogue
of thousands of segments is one record."""
RECEIPTS_KEPT_MS: Final = 3 * 365 * MS_PER_DAY
"""How long it can be shown that a deletion was asked for, and what the platform answered. It names nobody."""
SMALL_SEGMENT_BYTES: Final = 1 << 20
"""The smallest size that Kafka 4 allows. Kafka compacts closed segments only, and claims read all that is left."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as `segue topics` creates it. `summary`: one sentence for people."""

    role: Role
    name: str
    partitions: int
    summary: str
    configs: Mapping[str, str] = field(default_factory=dict)


_LARGE: Final = {"max.message.bytes": str(RECORD_BYTES_MIN)}
_COMPACTED: Final = {
    **_LARGE,
    "cleanup.policy": "compact",
    "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
    # how long a subject that left or was erased stays on the disk: streams/wire/staying.py
    "segment.ms": str(ROLL_MS),
    "max.compaction.lag.ms": str(MS_PER_DAY),
}
_INTERNAL: Final = {
    **_LARGE,
    "cleanup.policy": "compact",
    "segment.bytes": str(SMALL_SEGMENT_BYTES),
    "segment.ms": str(MS_PER_DAY // 24),
    "min.cleanable.dirty.ratio": "0.1",
    # only workers that run now read claims and progress: nobody needs an old tombstone
    "delete.retention.ms": str(MS_PER_DAY // 24),
}
_KEPT: Final = {"cleanup.policy": "delete", "retention.ms": str(KEPT_MS), "segment.ms": str(ROLL_MS)}
_CONFIGS: Final[Mapping[Role, Mapping[str, str]]] = {
    # LogAppendTime: the broker's clock decides, not each producer's (docs/protocol.md, time)
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
    # the brokers' clocks say when a filler was last heard of
    "fills": {**_INTERNAL, "message.timestamp.type": "LogAppendTime"},
    # the brokers' clocks date what a platform answered
    "erasures": {
        "cleanup.policy": "delete",
        "retention.ms": str(RECEIPTS_KEPT_MS),
        "message.timestamp.type": "LogAppendTime",
    },
    # the broker refuses a batch that is larger than a segment
    "catalogues": {**_INTERNAL, "segment.bytes": str(2 * RECORD_BYTES_MIN)},
}
_SUMMARIES: Final[Mapping[Role, str]] = {
    "events": "Engagement events in: CloudEvents, structured or binary; the key is the subject.",
    "dead_letters": "Refused events, unchanged; headers tell the reason and the origin.",
    "membership": "Every membership change, once, in order for each profile.",
    "current": "Who is in which segment now: the standing memberships. A tombstone on exit, or on restriction.",
    "restricted": "Membership changes of restricted segments.",
    "restricted_current": "Standing memberships of restricted segments, from the first entry after the restriction.",
    "progress": "Internal: the input offset up to which the changes of a partition are published.",
    "owners": "Internal: the workers that have claimed a partition.",
    "catalogues": "Internal: catalogues by their hash.",
    "fills": "Internal: how far the history of each cut is filled in.",
    "erasures": "Erasures: what was asked, whom it tells, what the platforms answered. Names nobody.",
    "activation": "Whom a channel may contact, or no longer: every change, once, in order for each profile.",
    "activation_current": "Whom a channel may contact now, and with what content. A tombstone when it ends.",
    "activation_dead_letters": "Changes that a channel's platform refused for good, with the reason in headers.",
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
        "fills": deployment.fills_topic,
        "erasures": deployment.erasures_topic,
    }
    return tuple(
        Topic(
            role=role,
            name=names[role],
            # catalogues are few and read whole; in one partition they keep the order in which they were applied
            partitions=1 if role == "catalogues" else deployment.partitions,
            summary=_SUMMARIES[role],
            configs=_configs(role, deployment),
        )
        for role in ROLES
    )


def _configs(role: Role, deployment: Deployment) -> dict[str, str]:
    """Return the settings of a topic of this role, in this deployment."""
    configs = dict(_CONFIGS[role])
    if "retention.ms" in configs and role != "erasures":
        configs["retention.ms"] = str(kept_ms(deployment))
    durable = {"min.insync.replicas": str(in_sync_min(deployment)), "unclean.leader.election.enable": "false"}
    return configs | durable


def kept_ms(deployment: Deployment) -> int:
    """Return the retention of the input and of the changes: as long as erasure allows, and KEPT_MS at most."""
    days_max = deployment.erasure_days_max
    return min(KEPT_MS, days_max * MS_PER_DAY - ERASURE_ROOM_MS) if days_max else KEPT_MS


CHANNEL_ROLES: Final[tuple[Role, ...]] = ("activation", "activation_current")
"""The topics that each channel of an activation has."""
DELIVERY_ROLES: Final[tuple[Role, ...]] = ("activation_dead_letters",)
"""The topics that a channel has, besides, if `segue deliver` delivers it."""
ROLES: Final[tuple[Role, ...]] = tuple(role for role in get_args(Role) if role not in (*CHANNEL_ROLES, *DELIVERY_ROLES))
"""The topics that each deployment has."""


def activation_topics(deployment: Deployment, channels: Iterable[str]) -> tuple[Topic, ...]:
    """List the topics of channels, for each the changes, then the snapshot. `segue apply` creates them."""
    return tuple(
        Topic(role, name, deployment.partitions, _SUMMARIES[role], _configs(role, deployment))
        for channel in channels
        for role, name in zip(CHANNEL_ROLES, channel_topics(deployment, channel), strict=True)
    )


def delivery_topic(deployment: Deployment, channel: str) -> Topic:
    """Return the topic for the changes that a channel's platform refuses. `segue deliver` creates it."""
    [role] = DELIVERY_ROLES
    name = f"{channel_topics(deployment, channel)[0]}.dlt"
    return Topic(role, name, deployment.partitions, _SUMMARIES[role], _configs(role, deployment))


def in_sync_min(deployment: Deployment) -> int:
    """Return how many replicas must have a record before it counts as written: two if there are two."""
    return 2 if deployment.replication > 1 else 1

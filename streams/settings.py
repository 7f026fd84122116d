"""Settings from `SEGUE_*` environment variables: `Deployment` is fixed for its life, `Settings` are not."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rules.catalogue.assignment_key import SETTING_NAME
from streams.erasure_settings import ErasureSettings
from streams.kafka_settings import KafkaSettings
from streams.logs import LogFormat, LogLevel
from streams.redis_settings import RedisSettings
from streams.secret import FILE, Secret, SecretUnreadable

WORKER_WEB_PORT: Final = 6066
"""Where a worker's pages answer unless SEGUE_WEB_PORT is set."""
DELIVERER_WEB_PORT: Final = 6067
"""Where a deliverer's pages answer: beside a worker on one machine."""
WORKER_METRICS_PORT: Final = 9464
"""Where a worker answers /metrics unless SEGUE_METRICS_PORT is set."""
DELIVERER_METRICS_PORT: Final = 9465
"""Where a deliverer answers /metrics: beside a worker on one machine."""
ERASURE_DAYS_LEAST: Final = 14
"""A shorter time leaves no room for tombstones, and for a state that is a few days behind the log."""


def assignment_keys(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the assignment keys of this process, by setting: SEGUE_ASSIGNMENT_KEY and those with more behind it.

    They are no fields of Settings: nothing that shows or hands on settings may hold them. A file that cannot be read is
    left out, so that its key is not known; `read_settings` has told of it at the start.
    """
    found = {}
    for secret in assignment_secrets(environment):
        with suppress(SecretUnreadable):
            found[secret.setting] = secret.reveal()
    return found


def assignment_secrets(environment: Mapping[str, str] = os.environ) -> list[Secret]:
    """Return the assignment keys that are set: each as its variable, or as the file that NAME_FILE names."""
    found = []
    for name, value in sorted(environment.items()):
        if re.fullmatch(SETTING_NAME, name) and value:
            setting = name.removesuffix(FILE)
            found.append(Secret(name, value) if setting == name else Secret(setting, file=Path(value)))
    return found


class Deployment(BaseSettings):
    """What is fixed for a deployment's life: to change one of these takes a new generation, or new topics."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True)

    generation: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")] = "g1"
    """Stands in every change id. A beginning from nothing with new topics takes a new one."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 8
    """The partition count of the input, of every output and of the internal topics."""
    events_topic: str = "engagement.events"
    """The input: engagement events."""
    dead_letter_topic: str = "engagement.events.dlt"
    """Refused events."""
    membership_topic: str = "segment.membership"
    """Membership changes; restricted ones go to this name with `.restricted`."""
    current_topic: str = "segment.membership.current"
    """Standing memberships."""
    activation_topic_prefix: str = "activation"
    """A channel's topic is this prefix, a dot and the channel; beside it is the same with `.current`."""
    progress_topic: str = "segue.progress"
    """Internal: up to where changes are out."""
    owners_topic: str = "segue.owners"
    """Internal: claims of partitions."""
    catalogues_topic: str = "segue.catalogues"
    """Internal: catalogues by their hash."""
    fills_topic: str = "segue.fills"
    """Internal: how far the history of each cut is filled in."""
    erasures_topic: str = "segue.erasures"
    """Erasures: what was asked, and what the platforms answered. It names nobody."""
    replication: Annotated[int, Field(ge=1, le=7)] = 1
    """The replication factor of topics that `segue topics` creates: 3 in a cluster (then min.insync.replicas is 2)."""
    redis_prefix: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,32}$")] = "segue"
    """The first part of every Redis key."""
    erasure_days_max: Annotated[int, Field(ge=0, le=3650)] = 30
    """So many days after an erasure nothing names the person any more: `segue topics`, `segue apply`, a worker's start
    and `segue doctor` refuse topics that keep records for longer. 14 or more; 0: nobody is ever erased, and nothing is
    refused. May change at any time, together with the settings of the topics."""
    redis_backup_days: Annotated[int, Field(ge=0, le=3650)] = 7
    """For how many days you keep backups of Redis. Segue takes none itself, but its deadlines allow for yours. May
    change at any time."""
    roll_after_ms: Annotated[int, Field(ge=100)] = 21_600_000
    """A worker appends an empty record to a compacted topic of profiles that got none for so long, so that the broker
    compacts it: else the last records of a quiet partition would stay. May change at any time."""

    @field_validator("erasure_days_max")
    @classmethod
    def _long_enough(cls, days: int) -> int:
        if 0 < days < ERASURE_DAYS_LEAST:
            raise ValueError(f"give {ERASURE_DAYS_LEAST} or more, or 0")
        return days


class Settings(KafkaSettings, RedisSettings, ErasureSettings):
    """What may change at a restart of a process, with those of Kafka, Redis and erasure. Times are in ms."""

    group: str = "segue"
    """The consumer group of the workers."""
    group_instance_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,249}$")] = ""
    """A name in the group that no other worker has, such as the name of the pod. A worker that died and starts again
    under its name within the session's time-out gets its partitions back, and the others go on meanwhile."""
    leave_group: bool = True
    """Whether a worker with a name leaves the group when it stops in order, so that the others take its partitions at
    once. If not, they wait for its return, up to the session's time-out. A worker without a name always leaves."""
    ring_size: Annotated[int, Field(ge=1, le=8)] = 3
    """How many transactional producers a worker has."""
    """Transactional producers of a worker, used in turn."""
    transaction_timeout_ms: Annotated[int, Field(ge=1_000, le=900_000)] = 10_000
    """After this long the broker aborts a transaction that nobody ends."""
    request_timeout_ms: Annotated[int, Field(ge=500)] = 5_000
    """Must be below the transaction's time-out: the worker learns of an unanswered request before the broker aborts."""
    session_timeout_ms: Annotated[int, Field(ge=1_000)] = 10_000
    """After so long without a heartbeat the group gives a worker's partitions to others."""
    checkpoint_every_ms: Annotated[int, Field(ge=10)] = 1_000
    """The longest time between two slices of state that are written to Redis once they are published."""
    changes_per_transaction_max: Annotated[int, Field(ge=1)] = 1_000
    """A transaction takes no more output once it holds so many changes. A single record that passes many wakes may
    exceed it. While twenty times as many wait to be published, a partition with more than its share of them pauses."""
    unpublished_records_max: Annotated[int, Field(ge=100)] = 50_000
    """With more records of a partition applied and not yet published or written, its input pauses."""
    profiles_cached_max: Annotated[int, Field(ge=0)] = 200_000
    """How many written profiles a worker keeps in memory, over all its partitions. As many more may wait to be written,
    5,000 at the least. With 500 segments each takes 9 to 13 kB."""
    bad_input_share_max: Annotated[float, Field(gt=0, le=1)] = 0.05
    """With a larger share of refused records among the last `bad_input_window`, a partition is held; 1 holds none."""
    bad_input_window: Annotated[int, Field(ge=100)] = 10_000
    """Number of records of a partition that the share is taken of."""
    bad_input_calm_ms: Annotated[int, Field(ge=1_000)] = 60_000
    """A held partition goes on by itself once no larger share was refused for so long, at the end of the log."""
    web_host: str = "127.0.0.1"
    """The address where /live, /ready and /status of worker and deliverer answer. A probe from outside, such as
    Kubernetes', needs 0.0.0.0 (or ::)."""
    web_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """The port of these pages; without it 6066 of a worker and 6067 of a deliverer. 0 takes a free port, which the log
    names."""
    ready_lag_ms_max: Annotated[int, Field(ge=1_000)] = 60_000
    """A worker is not ready while the oldest record that it has not applied is older."""
    metrics: bool = True
    """Whether worker and deliverer count for Prometheus and answer /metrics."""
    metrics_host: str = "127.0.0.1"
    """The address where /metrics answers. Prometheus on another machine needs 0.0.0.0 (or ::)."""
    metrics_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """The port of /metrics; without it 9464 of a worker and 9465 of a deliverer. 0 takes a free port, which the log
    names."""
    metrics_restricted: bool = False
    """Whether /metrics tells of restricted segments and activations too: how many members they have, what changes."""
    otel: bool = False
    """Whether a worker sends spans to OpenTelemetry, one for each transaction. Needs the extra `otel`; OTEL_* variables
    say where to."""
    log_level: LogLevel = LogLevel.INFO
    """The least grave messages that worker and deliverer log; `--log-level` wins over it."""
    log_format: LogFormat = "auto"
    """json: one object a line; human: lines to read; auto: human where standard error is a terminal, else json."""
    fill_records_per_s_max: Annotated[int, Field(ge=1)] = 5_000
    """Filling history in writes at most so many records a second, over all partitions. A history of several events
    counts as several."""
    fill_lag_records_max: Annotated[int, Field(ge=1)] = 2_000
    """Filling a partition's history in waits while the partition is behind by more records than this: live events wait
    behind them. Where nothing changes, a partition says only every 2 s how far it is."""
    fill_memory_bytes_max: Annotated[int, Field(ge=1)] = 256 << 20
    """Events that filling history in holds in memory at a time. A partition that has more is read again, for the next
    range of subjects."""
    approval_key: str = ""
    """The file of the private key that `segue approve` signs with; `--key` wins over it."""
    stop_deadline_ms: Annotated[int, Field(ge=100)] = 8_000
    """How long a clean stop may take to publish and write what was applied."""

"""Settings from `SEGUE_*` environment variables. Those fixed for a deployment's life stand apart."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.logs import LogFormat, LogLevel


class Deployment(BaseSettings):
    """Fixed for a deployment's life: changing one of these needs a new generation, or new topics."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True)

    generation: Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")] = "g1"
    """Stands in every change id; a rebuild from nothing into new topics takes a new one."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 8
    """Partition count of the input, of every output and of the internal topics."""
    events_topic: str = "engagement.events"
    """The input: engagement events."""
    dead_letter_topic: str = "engagement.events.dlt"
    """Refused events."""
    membership_topic: str = "segment.membership"
    """Membership changes; restricted ones go to this name with `.restricted`."""
    current_topic: str = "segment.membership.current"
    """Standing memberships."""
    activation_topic_prefix: str = "activation"
    """Each channel of an activation has a topic of that name, a dot and the channel, and its `.current`."""
    progress_topic: str = "segue.progress"
    """Internal: up to where changes are out."""
    owners_topic: str = "segue.owners"
    """Internal: claims of partitions."""
    catalogues_topic: str = "segue.catalogues"
    """Internal: catalogues by their hash."""
    replication: Annotated[int, Field(ge=1, le=7)] = 1
    """Replication factor with which `segue topics` creates; 3 in a cluster (then min.insync.replicas is 2)."""
    redis_prefix: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,32}$")] = "segue"
    """First part of every Redis key."""


class Settings(BaseSettings):
    """May change at a restart. Times in ms unless named otherwise."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers to ask first, as `host:port`, with commas between."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    """Redis or Valkey, with the number of its database."""
    group: str = "segue"
    """Consumer group of the workers."""
    ring_size: Annotated[int, Field(ge=1, le=8)] = 3
    """Transactional producers of a worker, used in turn."""
    transaction_timeout_ms: Annotated[int, Field(ge=1_000, le=900_000)] = 10_000
    """After this long the broker aborts a transaction that nobody ends."""
    request_timeout_ms: Annotated[int, Field(ge=500)] = 5_000
    """Below the transaction's time-out, so that an unanswered request is known before the broker aborts."""
    session_timeout_ms: Annotated[int, Field(ge=1_000)] = 10_000
    """Group session: after this long without a heartbeat a worker's partitions go to others."""
    checkpoint_every_ms: Annotated[int, Field(ge=10)] = 1_000
    """Longest time that published state waits to be written to Redis."""
    changes_per_transaction_max: Annotated[int, Field(ge=1)] = 1_000
    """A transaction takes no more output once it holds so many changes."""
    unpublished_records_max: Annotated[int, Field(ge=100)] = 50_000
    """Input of a partition pauses above this many applied but unpublished or unwritten records."""
    profiles_cached_max: Annotated[int, Field(ge=0)] = 200_000
    """Clean profiles kept in a worker's memory, all partitions together."""
    bad_input_share_max: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of refused records among the last `bad_input_window` above which the worker stops."""
    bad_input_window: Annotated[int, Field(ge=100)] = 10_000
    """Number of records that the share is taken of."""
    web_host: str = "127.0.0.1"
    """The address that the web server of worker or deliverer binds."""
    web_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Faust's web server (health); 0 takes a free port."""
    log_level: LogLevel = LogLevel.INFO
    """The least grave messages that worker and deliverer log; `--log-level` wins over it."""
    log_format: LogFormat = "auto"
    """json: one object a line; human: lines to read; auto: human where standard error is a terminal, else json."""
    stop_deadline_ms: Annotated[int, Field(ge=100)] = 8_000
    """How long a clean stop may take to finish what is in hand."""

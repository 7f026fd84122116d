"""What a line of the log is about: one action word a line, and named fields beside the prose.

A log call gives them as `extra=told("partition_claimed", epoch=7)`. `ACTIONS` and `FIELDS` are the tables that
docs/operations/logs.md draws; a test holds every log call of streams/ against them, in both directions. Words are those
of docs/glossary.md.

`bind` adds fields to every line that the running task logs from then on, and the tasks that it starts: so all lines
about a partition bear its number and its epoch.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, Unpack, get_args

Action = Literal[
    "worker_listens",
    "metrics_listen",
    "start_refused",
    "start_failed",
    "setting_found",
    "worker_stops",
    "worker_ends",
    "bug",
    "client_not_closed",
    "dependency_away",
    "dependency_back",
    "partitions_assigned",
    "partitions_abandoned",
    "group_not_left",
    "partition_claimed",
    "claim_waits",
    "partition_overtaken",
    "ring_over",
    "store_went_back",
    "replay_done",
    "catalogue_loaded",
    "catalogue_in_force",
    "history_filled",
    "fill_unreadable",
    "effect_unreadable",
    "roll_put_off",
    "partition_held",
    "partition_resumed",
    "partition_stopped",
    "input_silent",
    "fetch_failed",
    "commit_failed",
    "deliverer_starts",
    "deliverer_state",
    "deliverer_ends",
    "change_unreadable",
    "changes_lost",
    "request_failed",
    "erasures_told",
    "erasure_refused",
    "consumer_replaced",
    "consumer_died",
    "library",
]

ACTIONS: Final[Mapping[Action, str]] = {
    "worker_listens": "The worker's pages answer.",
    "metrics_listen": "The page /metrics answers.",
    "start_refused": "A server refuses, or is not reachable, so the worker does not start.",
    "start_failed": "The worker could not join the consumer group.",
    "setting_found": "A server has a setting that breaks a promise, or weakens one.",
    "worker_stops": "The worker was asked to stop.",
    "worker_ends": "The worker ends because of a fault.",
    "bug": "Our bug, with the places of the program. Nothing of the record at hand is published.",
    "client_not_closed": "A client did not close in time at a stop.",
    "dependency_away": "Kafka or Redis cannot be used.",
    "dependency_back": "It can be used again, after so many seconds.",
    "partitions_assigned": "The consumer group gave this process its partitions.",
    "partitions_abandoned": "Partitions were not finished within the deadline; their next owner fences this worker.",
    "group_not_left": "The group did not answer at a stop; it waits for the session's time-out.",
    "partition_claimed": "The partition is ours from now on.",
    "claim_waits": "A claim cannot go on; it tries again.",
    "partition_overtaken": "Another worker claimed the partition after us.",
    "ring_over": "A transaction may or may not be committed: the partitions are claimed anew.",
    "store_went_back": "Redis went back (GAP): what lies between is applied again, silently.",
    "replay_done": "The silent replay has come to the published offset, and the digest is equal.",
    "catalogue_loaded": "A catalogue was read from its topic.",
    "catalogue_in_force": "A catalogue took effect at a record.",
    "history_filled": "The history of a cut is filled in.",
    "fill_unreadable": "A record of the topic of fills cannot be read.",
    "effect_unreadable": "An effect of another profile cannot be read; later ones are only counted.",
    "roll_put_off": "Quiet topics were not looked at: Kafka is away. It is done later.",
    "partition_held": "Too many records were refused: the partition applies nothing more.",
    "partition_resumed": "A held partition goes on, by itself or because a person said so.",
    "partition_stopped": "An incident: a person must decide.",
    "input_silent": "A consumer reads nothing although the log goes on.",
    "fetch_failed": "A fetch failed and is repeated.",
    "commit_failed": "Group offsets were not committed; only lag tools read them.",
    "deliverer_starts": "The deliverer begins with a channel.",
    "deliverer_state": "What a deliverer has done so far, every few seconds if there is news.",
    "deliverer_ends": "What a deliverer has done when it ends.",
    "change_unreadable": "A record of a channel is no change; it goes to the channel's dead letters.",
    "changes_lost": "Retention dropped changes before they were delivered.",
    "request_failed": "A request to the platform failed and is repeated.",
    "erasures_told": "The platform took erasures: how many, and never of whom.",
    "erasure_refused": "The platform refuses to delete somebody who was erased; the reason code, and never who.",
    "consumer_replaced": "A consumer has failed, and a new one takes over.",
    "consumer_died": "A consumer had ended before it was stopped.",
    "library": "A line of a client library: aiokafka, Faust or asyncio.",
}
if set(ACTIONS) != set(get_args(Action)):
    raise AssertionError("every action is explained")

FIELDS: Final[Mapping[str, str]] = {
    "partition": "A partition of the input.",
    "partitions": "Several of them.",
    "epoch": "The epoch of the owner's claim.",
    "offset": "The next record to read, of the input or of `topic`.",
    "published": "The offset up to which changes are published.",
    "end_offset": "The offset before which something ends.",
    "topic": "A topic.",
    "channel": "A channel.",
    "catalogue": "The first characters of a catalogue's hash.",
    "dependency": "kafka, redis or endpoint.",
    "seconds": "How long it lasted, or how long to wait.",
    "attempt": "Which attempt failed, from 1.",
    "count": "How many.",
    "records": "How many input records were looked at.",
    "reasons": "Refused records by reason code.",
    "sources": "Refused records by source; at most 20.",
    "by": "Who resumed a partition; absent: it goes on by itself.",
    "why": "The kind of a fault.",
    "address": "Where a page answers.",
}


class Fields(TypedDict, total=False):
    """The fields that a line may have; FIELDS explains them."""

    partition: int
    partitions: list[int]
    epoch: int
    offset: int
    published: int
    end_offset: int
    topic: str
    channel: str
    catalogue: str
    dependency: str
    seconds: float
    attempt: int
    count: int
    records: int
    reasons: Mapping[str, int]
    sources: Mapping[str, int]
    by: str
    why: str
    address: str


if set(FIELDS) != set(Fields.__annotations__):
    raise AssertionError("every field is explained")

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("fields of every line of a task", default=_NOTHING)


def told(action: Action, **fields: Unpack[Fields]) -> dict[str, Any]:
    """Return the `extra` of a log call."""
    return {"action": action, **fields}


def bind(**fields: Unpack[Fields]) -> None:
    """Add fields to every line that this task logs from now on, and the tasks that it starts."""
    _bound.set({**_bound.get(), **fields})


def bound() -> Mapping[str, Any]:
    """Return the fields that are bound here."""
    return _bound.get()

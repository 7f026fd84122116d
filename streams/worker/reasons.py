"""Why a worker is not ready: reads its status, decides nothing. streams.health has the codes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from streams.health import Reason
from streams.partition.status import PartitionStatus

if TYPE_CHECKING:
    from streams.worker.status import WorkerStatus

STORE_SILENT_MS: Final = 4_000
"""An owner asks Redis every second at least, and a large checkpoint is written in less."""


def reasons_of(status: "WorkerStatus", wall_ms: int) -> Iterator[Reason]:
    """Yield every reason and every notice: first those of the worker, then those of each partition."""
    if status.failure:
        yield Reason("failed", f"the worker ends: {status.failure}")
    if status.stopping:
        yield Reason("stopping", "the worker was asked to stop, or ends")
    elif status.starting:
        yield Reason("starting", status.starting)
    elif not status.assigned:
        yield Reason("not_assigned", "the consumer group has given this worker no partitions yet")
    yield from status.dependencies.reasons()
    if status.dependencies.up("kafka") and (refusal := status.kafka_refuses()):
        yield Reason("dependency_away", refusal, dependency="kafka")
    if status.silent:
        yield Reason("input_silent", status.silent)
    for _, one in sorted(status.partitions.items()):
        yield from _of_partition(one, status.lag_ms_max, wall_ms)


def _of_partition(one: PartitionStatus, lag_ms_max: int, wall_ms: int) -> Iterator[Reason]:
    name = f"partition {one.partition}"
    if one.state == "stopped":
        yield Reason("partition_stopped", f"{name} is stopped: {one.incident}", one.partition)
        return
    if one.state == "held":
        since_ms = one.held_since_ms if one.held_since_ms >= 0 else None
        yield Reason("partition_held", f"{name} is held: {one.held}", one.partition, since_ms=since_ms)
        return
    if one.waiting_for:
        yield Reason("partition_waits", f"{name} waits for {one.waiting_for}", one.partition)
    elif one.store_heard_ms >= 0 and wall_ms - one.store_heard_ms > STORE_SILENT_MS:
        # of a cluster, one node may stand still while the others answer the watch
        silent = f"{name} waits for Redis: it has not answered for {(wall_ms - one.store_heard_ms) // 1000} s"
        yield Reason("partition_waits", silent, one.partition, "redis", one.store_heard_ms)
    elif one.state != "running":
        yield Reason("partition_starting", f"{name} is {one.state}", one.partition)
    elif (late_ms := one.lag_ms(wall_ms) or 0) > lag_ms_max:
        behind = f"{name} is {late_ms // 1000} s behind: its oldest record that is not applied is so old"
        yield Reason("partition_behind", behind, one.partition)
    if one.state == "running" and not one.catalogue:
        yield Reason("no_catalogue", f"{name} has no catalogue in force: run `segue apply`", one.partition)

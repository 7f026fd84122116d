"""Delete subjects at a channel's platform whom no change tells it of: the silent channels of an erasure.

1. The erasure must be recorded (`segue erase` did). A record names nobody, so Redis tells whether a subject is one of
   those that it erased, and whether anything is known of it since. No activation of the channel may be active for it:
   that is published before Redis knows it. Else the subject is written wrong, or began anew.
2. Every change of these subjects' partitions must be delivered: one that came after the deletion would create the
   person anew there. This waits for it, and sends nothing where it does not come.
3. The deletions are sent in the shape's own requests, and each answer has a receipt. A crash here: run it again; a
   repeated deletion does no harm.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Final

from aiokafka import TopicPartition

from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.delivery.endpoint import Endpoint
from streams.delivery.receipts import Receipts
from streams.delivery.route import Route
from streams.delivery.sender import Hold, Sender, Stopped
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import Shape, shape_of
from streams.delivery.status import DeliveryStatus
from streams.delivery.window import Parcel
from streams.operations.deliver import endpoint_of, have_topics
from streams.operations.delivery_lag import delivery_lag
from streams.operations.erased_since import erased_for_good
from streams.operations.errors import DeliveryStopped, Unreachable, WrongInput, WrongRequest
from streams.operations.receipts import receipts
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, records
from streams.wire.names import channel_topics

LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class DeletedAt:
    """What the platform answered."""

    accepted: int
    refused: int


async def delete_at(
    servers: Servers,
    channel: str,
    delivery: DeliverySettings,
    subjects: Sequence[str],
    erasure: str,
    *,
    wait_s: int = 60,
) -> DeletedAt:
    """Ask the channel's platform to delete subjects. `erasure`: the id of the event that erased them.

    Raises WrongRequest (a shape without deletions), WrongInput (no such erasure, it erased another subject, one is
    active, changes are not delivered), NoState, OtherState,
    DeliveryStopped, Unreachable (the platform does not answer in time); UnknownName.
    """
    shape = shape_of(delivery)
    if shape.limits.deletions_max is None:
        raise WrongRequest(
            f"the shape {delivery.shape} has no request that deletes a person: tell your endpoint of these subjects"
            " yourself"
        )
    await have_topics(servers, channel)
    found = await receipts(servers, erasure)
    if len(found) != 1 or found[0].asked is None:
        raise WrongInput(f"no erasure is recorded under {erasure!r}: give the id that segue erase told")
    await _expect_erased(servers, subjects, found[0].erasure)
    await _expect_inactive(servers, channel, subjects)
    await _delivered(servers, channel, subjects, wait_s)
    parcels = [_parcel(servers, shape, subject, found[0].erasure) for subject in dict.fromkeys(subjects)]
    endpoint = endpoint_of(delivery, shape.path)
    status = DeliveryStatus(channel, endpoint.host, delivery.shape)
    try:
        sender = _sender(
            servers, Route(channel, servers.deployment, servers.settings, delivery, shape), endpoint, status
        )
        async with asyncio.timeout(wait_s):
            for first in range(0, len(parcels), shape.limits.deletions_max):
                await sender.deliver(parcels[first : first + shape.limits.deletions_max], lambda _: None)
    except TimeoutError:
        why = status.why_waiting or "no answer"
        done = status.erased + status.refused
        raise Unreachable(f"{endpoint.host}: {why}; {done} of {len(parcels)} deletions are answered") from None
    except Stopped as stopped:
        raise DeliveryStopped(str(stopped)) from None
    finally:
        await endpoint.close()
    return DeletedAt(status.erased, status.refused)


async def _expect_erased(servers: Servers, subjects: Sequence[str], erasure: str) -> None:
    """See that this erasure forgot the subjects, and that nothing is known of them since. Raises WrongInput."""
    living = {*subjects} - await erased_for_good(servers, subjects, erasure)
    if living:
        raise WrongInput(
            f"nobody is deleted: no erasure with that id is known of {len(living)} of these subjects, or the subject"
            " began anew after it; give subjects and id as segue erase told them"
        )


async def _expect_inactive(servers: Servers, channel: str, subjects: Sequence[str]) -> None:
    """See that the channel is active for none of the subjects. Raises WrongInput, TopicMissing; Unreachable."""
    _, topic = channel_topics(servers.deployment, channel)
    await servers.expect_topics(topic)
    keys, active = {each.encode() for each in subjects}, set[bytes]()
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        for partition in sorted({partition_of(key, servers.deployment.partitions) for key in keys}):
            at = TopicPartition(topic, partition)
            consumer.assign([at])
            await consumer.seek_to_beginning(at)
            _, end = await servers.log.offsets(topic, partition)
            async for record in records(consumer, at, end):
                if record.key is not None and record.key.partition(b"|")[0] in keys:
                    (active.discard if record.value is None else active.add)(record.key)
    if active:
        living = len({key.partition(b"|")[0] for key in active})
        raise WrongInput(
            f"{channel} is active for {living} of these subjects, so nobody is deleted: see that each is written as"
            " segue erase told it; one that began anew after its erasure is not to be deleted any more"
        )


async def _delivered(servers: Servers, channel: str, subjects: Sequence[str], wait_s: int) -> None:
    """Wait until every change of the subjects' partitions is delivered. Raises WrongInput."""
    partitions = {partition_of(each.encode(), servers.deployment.partitions) for each in subjects}
    until_s = monotonic() + wait_s
    while True:
        lag = await delivery_lag(servers, channel)
        behind = sum(each.lag_changes for each in lag.partitions if each.partition in partitions)
        if not behind:
            return
        if monotonic() >= until_s:
            raise WrongInput(
                f"{behind:,} changes of {channel} are not delivered yet, and one of them may create the person anew:"
                f" let segue deliver {channel} run until `segue deliver {channel} --lag` says 0"
            )
        await asyncio.sleep(LOOK_S)


def _parcel(servers: Servers, shape: Shape, subject: str, erasure: str) -> Parcel:
    partition = partition_of(subject.encode(), servers.deployment.partitions)
    parts = shape.deletion(subject)
    return Parcel(partition, -1, "", subject, "", "erased", 0, parts, erasure=erasure)


def _sender(servers: Servers, route: Route, endpoint: Endpoint, status: DeliveryStatus) -> Sender:
    return Sender(
        endpoint,
        route.shape,
        route.delivery,
        status,
        SystemClock(),
        Hold(asyncio.Event(), lambda: True),
        None,
        Receipts(route, endpoint.host, secrets.token_hex(8)),
        servers.log,
        Random(),
    )

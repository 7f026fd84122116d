"""`segue deliver`: the process that delivers a channel's changes to an endpoint.

1. The channel's topic must exist; the topics of its dead letters and of receipts are created.
2. /live, /ready and /status are served.
3. Changes are delivered until SIGTERM or SIGINT, or until the endpoint refuses for good. A crash at any point: changes
   that no answer came for are delivered again, with the same ids.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from streams.actions import told
from streams.clock import SystemClock
from streams.delivery.deliverer import Deliverer, make_shared
from streams.delivery.endpoint import Endpoint
from streams.delivery.metrics import DeliveryMetrics
from streams.delivery.route import Route
from streams.delivery.sender import Stopped
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.shared import DeliveryShared
from streams.delivery.status import DeliveryStatus
from streams.metrics.names import OF_DELIVERER
from streams.metrics.server import serving_metrics
from streams.operations.errors import AddressWrong, DeliveryStopped, TopicsWrong, WrongRequest
from streams.operations.naming import channels_of, unknown_channel
from streams.operations.servers import Servers
from streams.settings import DELIVERER_METRICS_PORT, DELIVERER_WEB_PORT
from streams.web import AddressRefused, serving
from streams.wire.names import channel_topics
from streams.wire.requirements import judge_topic
from streams.wire.topics import delivery_topic, topics

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger("streams.delivery")


async def deliver(servers: Servers, channel: str, delivery: DeliverySettings) -> None:
    """Deliver a channel's changes until a signal. Raises DeliveryStopped where the endpoint refuses for good."""
    await have_topics(servers, channel)
    shape = shape_of(delivery)
    endpoint = endpoint_of(delivery, shape.path)
    status = DeliveryStatus(channel, endpoint.host, delivery.shape)
    status.kafka_refuses = servers.connection.access.told
    route = Route(channel, servers.deployment, servers.settings, delivery, shape)
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with _status_pages(servers, status) as where:
            request = f"{delivery.shape}, up to {shape.limits.changes_max} changes a request"
            extra = told("deliverer_starts", channel=channel, address=where)
            log.info("%s to %s as %s; %s", channel, endpoint.host, request, where, extra=extra)
            shared = make_shared(route, servers.log, endpoint, status)
            async with _metrics(servers, shared):
                await Deliverer(shared).run(stop)
    except Stopped as stopped:
        raise DeliveryStopped(str(stopped)) from None
    finally:
        await endpoint.close()
        log.info("%s", status.line(), extra=told("deliverer_ends", channel=channel))


async def expect_channel(servers: Servers, channel: str, topic: str, existing: Collection[str]) -> None:
    """See that the topic of a channel is there, with this deployment's partitions.

    Raises UnknownName, which says the nearest channel; NoCatalogue.
    """
    if topic not in existing:
        raise unknown_channel(channel, channels_of(await servers.catalogue()))
    await servers.expect_topics(topic)


async def have_topics(servers: Servers, channel: str) -> None:
    """See that the channel's topic is there; create those of its dead letters and of receipts. Raises TopicsWrong."""
    deployment = servers.deployment
    changes, _ = channel_topics(deployment, channel)
    wanted = [delivery_topic(deployment, channel), *(each for each in topics(deployment) if each.role == "erasures")]
    async with servers.cluster() as cluster:
        existing = await cluster.existing([changes, *(each.name for each in wanted)])
        await expect_channel(servers, channel, changes, existing)
        there = [each for each in wanted if each.name in existing]
        judged = (finding for each in there for finding in judge_topic(each, existing[each.name], deployment))
        found = [each for each in judged if each.fatal]
        if not found:
            missing = [each for each in wanted if each.name not in existing]
            found = await cluster.create(missing, deployment.replication)
    if found:
        raise TopicsWrong(found)


def endpoint_of(delivery: DeliverySettings, path: str) -> Endpoint:
    """Make the endpoint: close it. Raises WrongRequest: the file of certificates cannot be read."""
    try:
        return Endpoint(delivery, path)
    except OSError as wrong:
        what = wrong.strerror or type(wrong).__name__
        raise WrongRequest(f"SEGUE_DELIVER_CA_FILE: {delivery.ca_file}: {what}") from None


@asynccontextmanager
async def _metrics(servers: Servers, shared: DeliveryShared) -> AsyncIterator[None]:
    """Answer /metrics, if it is wanted. Raises AddressWrong."""
    settings, port = servers.settings, servers.settings.metrics_port
    if not settings.metrics:
        yield
        return
    metrics = DeliveryMetrics(shared.status, shared.hand, servers.deployment.generation, shared.clock.wall_ms)
    port = DELIVERER_METRICS_PORT if port is None else port
    try:
        async with serving_metrics(OF_DELIVERER, metrics.read, settings.metrics_host, port) as where:
            log.info("metrics answer at %s", where, extra=told("metrics_listen", address=where))
            yield
    except AddressRefused as refused:
        raise AddressWrong(str(refused)) from None


@asynccontextmanager
async def _status_pages(servers: Servers, status: DeliveryStatus) -> AsyncIterator[str]:
    """Serve the pages; give the address of /status. Raises AddressWrong."""
    host, port = servers.settings.web_host, servers.settings.web_port
    pages = status.pages(SystemClock().wall_ms)
    try:
        async with serving(pages, host, DELIVERER_WEB_PORT if port is None else port) as where:
            yield f"{where}/status"
    except AddressRefused as refused:
        raise AddressWrong(str(refused)) from None

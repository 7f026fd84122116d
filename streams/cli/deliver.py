"""`segue deliver`: a channel's changes to an HTTP endpoint, and how far behind that is."""

import asyncio
import logging
import signal
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import typer

from streams import logs
from streams.cli.arguments import LogLevel, read_channel
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.clock import SystemClock
from streams.delivery.deliverer import Deliverer, Route, group_of
from streams.delivery.endpoint import Endpoint
from streams.delivery.sender import Stopped
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.status import DeliveryStatus
from streams.delivery.web import serving
from streams.operations.errors import WrongInput, WrongRequest
from streams.operations.lag import Reached, behind
from streams.operations.servers import Servers
from streams.operations.settings import read_delivery_settings
from streams.wire.names import channel_topics
from streams.wire.topics import delivery_topic, judge_topic

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def deliver(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of activations, like email.")],
    lag: Annotated[
        bool, typer.Option("--lag", help="Only show how many changes are not delivered yet, per partition, and end.")
    ] = False,
    log_level: Annotated[
        LogLevel | None, typer.Option(help="What to log to standard error; without: SEGUE_LOG_LEVEL.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --lag: one JSON value, for programs.")] = False,
) -> None:
    """Deliver a channel's activation changes to an HTTP endpoint.

    Runs until SIGTERM or Ctrl-C.

    [bold]At least once[/bold]: after a lost answer or a crash a change is sent
    again, with the same id. Receivers drop ids that they have seen, and what
    has a lower [bold]sequence[/bold] than the last of its profile. Changes of one
    profile go in order, an activation and a deactivation never in one request.

    Settings come from the environment only: credentials belong on no command
    line.

    SEGUE_DELIVER_URL: where to, https://… (of a platform its host is enough).

    SEGUE_DELIVER_SHAPE: [bold]standard[/bold], Standard Webhooks, signed with
    SEGUE_DELIVER_SECRETS (whsec_…; several while one is replaced);
    [bold]braze[/bold], users/track, with SEGUE_DELIVER_API_KEY;
    [bold]customerio[/bold], Track API v2 batch, with SEGUE_DELIVER_SITE_ID and
    SEGUE_DELIVER_API_KEY.

    429, 5xx and time-outs are tried again for ever, with back-off and as long
    as Retry-After says; /ready on SEGUE_WEB_PORT is 503 meanwhile. What is
    refused for good goes to activation.CHANNEL.dlt, which this command creates.

    Start as many processes as you like: they share the partitions. Progress is
    the offsets of the consumer group GROUP.deliver.CHANNEL; without any it
    begins with the oldest change kept.

    Exit status: 0 stopped as asked; 1 the endpoint refuses the credentials, is
    not there, or refuses everything (nothing is skipped for that: start again
    when it is mended); 2 a setting is wrong; 3 Kafka is not reachable.

    Example: SEGUE_DELIVER_URL=https://crm.example/hooks segue deliver email
    """
    channel = read_channel(channel)
    if lag:
        found = run(lambda servers: _lag(servers, channel))
        _show_lag(found, as_json=as_json)
        return
    if as_json:
        raise WrongRequest("--json goes with --lag; while it delivers, /status on SEGUE_WEB_PORT is JSON")
    delivery = read_delivery_settings()
    run(lambda servers: _deliver(servers, channel, delivery, log_level or servers.settings.log_level))


async def _deliver(servers: Servers, channel: str, delivery: DeliverySettings, log_level: str) -> None:
    logs.configure(servers.settings.log_format, log_level)
    await _have_topics(servers, channel)
    shape = shape_of(delivery)
    try:
        endpoint = Endpoint(delivery, shape.path)
    except OSError as wrong:
        what = wrong.strerror or type(wrong).__name__
        raise WrongRequest(f"SEGUE_DELIVER_CA_FILE: {delivery.ca_file}: {what}") from None
    status = DeliveryStatus(channel, endpoint.host, delivery.shape)
    route = Route(channel, servers.deployment, servers.settings, delivery, shape)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    log = logging.getLogger("streams.delivery")
    settings = servers.settings
    try:
        async with AsyncExitStack() as open_:
            try:
                pages = serving(status.pages(), settings.web_host, settings.web_port)
                port = await open_.enter_async_context(pages)
            except OSError as taken:
                raise WrongRequest(f"SEGUE_WEB_PORT {settings.web_port}: {taken.strerror}") from None
            where = f"http://{settings.web_host}:{port}/status"
            log.info("%s to %s as %s; %s", channel, endpoint.host, _in_words(route), where)
            await Deliverer(route, servers.log, endpoint, status).run(stop)
    except Stopped as stopped:
        said = f"{stopped}; what was not answered for is delivered after the next start"
        raise WrongInput(said) from None
    finally:
        await endpoint.close()
        log.info("%s", status.line())


def _in_words(route: Route) -> str:
    """Name the shape and what one request of it holds at most."""
    return f"{route.delivery.shape}, up to {route.shape.limits.changes_max} changes a request"


async def _have_topics(servers: Servers, channel: str) -> None:
    """See that the channel's topic is there, and create the one for its dead letters."""
    deployment = servers.deployment
    changes, _ = channel_topics(deployment, channel)
    wanted = delivery_topic(deployment, channel)
    async with servers.cluster() as cluster:
        existing = await cluster.existing([changes, wanted.name])
        await _expect_channel(servers, channel, changes, existing)
        if wanted.name in existing:
            found = [each for each in judge_topic(wanted, existing[wanted.name], deployment) if each.fatal]
        else:
            found = await cluster.create([wanted], deployment.replication)
    if found:
        raise WrongInput(*map(str, found))


async def _expect_channel(servers: Servers, channel: str, topic: str, existing: Collection[str]) -> None:
    if topic not in existing:
        what = f"topic {topic} is missing: no activation that was applied is for the channel {channel!r}"
        raise WrongInput(f"{what} (`segue apply` creates it)")
    await servers.expect_topics(topic)


async def _lag(servers: Servers, channel: str) -> dict[str, Any]:

    topic = channel_topics(servers.deployment, channel)[0]
    async with servers.cluster() as cluster:
        existing = await cluster.existing([topic])
    await _expect_channel(servers, channel, topic, existing)
    group = group_of(servers.settings, channel)
    async with servers.reading(topic, group_id=group, max_partition_fetch_bytes=1 << 17) as (consumer, partitions):
        reached = []
        for tp in partitions:
            _, end = await servers.log.offsets(topic, tp.partition)
            reached.append(Reached(tp.partition, end, await consumer.committed(tp), None, ""))
        counted = await behind(consumer, [each for each in reached if each.end > each.behind_from])
    now_ms = SystemClock().wall_ms()
    lags: list[dict[str, Any]] = []
    for each in reached:
        changes, oldest_ms = counted.get(each.partition, (0, None))
        age_s = 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000
        told = {"partition": each.partition, "end": each.end, "delivered": each.applied}
        lags.append({**told, "lag_changes": changes, "lag_seconds": age_s})
    return {
        "channel": channel,
        "group": group,
        "partitions": lags,
        "lag_changes": sum(each["lag_changes"] for each in lags),
        "lag_seconds": max(each["lag_seconds"] for each in lags),
    }


def _show_lag(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    names = ("partition", "log end", "delivered up to", "lag changes", "lag seconds")
    shown = table(*names, right=names)
    for each in found["partitions"]:
        upto = "nothing yet" if each["delivered"] is None else f"{each['delivered']:,}"
        cells = [each["partition"], f"{each['end']:,}", upto, f"{each['lag_changes']:,}", f"{each['lag_seconds']:.1f}"]
        shown.add_row(*row(cells))
    shown.add_section()
    shown.add_row(*row(["all", "", "", f"{found['lag_changes']:,}", f"{found['lag_seconds']:.1f}"]))
    out.print(shown)

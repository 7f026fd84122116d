"""`segue deliver`: a channel's changes to an HTTP endpoint, and how far behind that is."""

from typing import Annotated

import typer

from rules.ground.words import count
from streams import logs
from streams.cli.arguments import read_channel, read_subject
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.logs import LogLevel
from streams.operations.delete_at import delete_at
from streams.operations.deliver import deliver as deliver_channel
from streams.operations.delivery_lag import DeliveryLag, delivery_lag
from streams.operations.errors import WrongRequest
from streams.operations.servers import Servers
from streams.operations.settings import read_delivery_settings


def deliver(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of activations, like email.")],
    lag: Annotated[
        bool, typer.Option("--lag", help="Only show how many changes are not delivered yet, per partition, and end.")
    ] = False,
    delete: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SUBJECT", help="Only ask the platform to delete these, whom no change tells it of, and end."
        ),
    ] = None,
    erasure: Annotated[
        str | None, typer.Option(metavar="ID", help="With --delete: the erasure's id, as segue erase told it.")
    ] = None,
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
    as Retry-After says; /ready on port 6067 (SEGUE_WEB_PORT) is 503 meanwhile. What is
    refused for good goes to activation.CHANNEL.dlt, which this command creates.

    [bold]--delete[/bold]: subjects of an erased person that the channel told of
    earlier, and that no change tells it of now ([bold]segue erase[/bold] shows this
    command). Waits until the channel is delivered, deletes them at Braze or
    Customer.io, and keeps the answers for [bold]segue privacy --receipts[/bold].

    Start as many processes as you like: they share the partitions. Progress is
    the offsets of the consumer group GROUP.deliver.CHANNEL; without any it
    begins with the oldest change kept.

    Exit status: 0 stopped as asked; 1 the endpoint refuses the credentials, is
    not there, or refuses everything (nothing is skipped for that: start again
    when it is mended); 2 a setting is wrong; 3 Kafka is not reachable.

    Example: SEGUE_DELIVER_URL=https://crm.example/hooks segue deliver email
    """
    channel = read_channel(channel)
    if delete or erasure is not None:
        _delete(channel, [read_subject(each, "--delete") for each in delete or ()], erasure, lag=lag, as_json=as_json)
        return
    if lag:
        found = run(lambda servers: delivery_lag(servers, channel))
        if as_json:
            write_json(found.as_json())
        else:
            _show_lag(found)
        return
    if as_json:
        raise WrongRequest("--json goes with --lag; while it delivers, /status on port 6067 (SEGUE_WEB_PORT) is JSON")
    delivery = read_delivery_settings()

    async def work(servers: Servers) -> None:
        logs.configure(servers.settings.log_format, log_level or servers.settings.log_level)
        await deliver_channel(servers, channel, delivery)

    run(work)


def _delete(channel: str, subjects: list[str], erasure: str | None, *, lag: bool, as_json: bool) -> None:
    """Ask the platform to delete subjects. Raises typer.Exit where it refuses one."""
    if not subjects or erasure is None or not erasure.strip():
        raise WrongRequest("--delete SUBJECT and --erasure ID go together: segue erase told both")
    if lag or as_json:
        raise WrongRequest("--delete goes with neither --lag nor --json")
    delivery = read_delivery_settings()
    done = run(lambda servers: delete_at(servers, channel, delivery, subjects, erasure))
    write_sentence(f"{channel}: {count(done.accepted, 'deletion')} accepted, {done.refused:,} refused")
    if done.refused:
        raise typer.Exit(1)


def _show_lag(found: DeliveryLag) -> None:
    names = ("partition", "log end", "delivered up to", "lag changes", "lag seconds")
    shown = table(*names, right=names)
    for each in found.partitions:
        upto = "nothing yet" if each.delivered is None else f"{each.delivered:,}"
        cells = [each.partition, f"{each.end:,}", upto, f"{each.lag_changes:,}", f"{each.lag_seconds:.1f}"]
        shown.add_row(*row(cells))
    shown.add_section()
    shown.add_row(*row(["all", "", "", f"{found.lag_changes:,}", f"{found.lag_seconds:.1f}"]))
    out.print(shown)

"""`segue acls`: the rights that a role needs in Kafka, as commands that give them."""

from dataclasses import asdict
from typing import Annotated

import typer

from rules.language.validation import nearest
from streams.cli.arguments import Json, read_channel
from streams.cli.render.terminal import write_json
from streams.cli.running import settings
from streams.operations.errors import WrongRequest
from streams.operations.rights import acl_commands
from streams.wire.rights import OF_A_CHANNEL, ROLE_NAMES, Asked, RoleName, rights_of


def acls(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="worker, deliverer, reader, operator or producer.")],
    user: Annotated[
        str, typer.Option(metavar="NAME", help="The user in Kafka; without: segue- and the role.", show_default=False)
    ] = "",
    channel: Annotated[str, typer.Option(help="For deliverer and reader: a channel, like email.")] = "",
    group: Annotated[str, typer.Option(help="For reader: its own consumer group, if it has one.")] = "",
    command_config: Annotated[
        str, typer.Option(metavar="FILE", help="The file with which kafka-acls.sh comes in as an administrator.")
    ] = "admin.properties",
    as_json: Json = False,
) -> None:
    """List the rights that a role needs in Kafka, as commands that give them.

    Prints calls of Apache Kafka's kafka-acls.sh, with the names of topics and groups from the settings, and runs
    nothing. [bold]worker[/bold] is segue worker; [bold]deliverer[/bold] is segue deliver; [bold]reader[/bold] is a
    platform that reads a channel; [bold]operator[/bold] is who runs the other commands; [bold]producer[/bold] is who
    sends events. These rights are all that a role needs.

    Example: segue acls worker --user segue-worker | sh
    """
    name = read_role(role, channel)
    if group and name != "reader":
        raise WrongRequest("--group is for reader: the other roles have the groups of the settings")
    deployment, found = settings()
    asked = Asked(deployment, found.group, channel, group)
    rights = rights_of(name, asked)
    if as_json:
        write_json([asdict(right) for right in rights])
        return
    for line in acl_commands(rights, f"User:{user or f'segue-{name}'}", found.kafka_bootstrap_servers, command_config):
        print(line)


def read_role(role: str, channel: str) -> RoleName:
    """Read a role, and see that it has a channel if it takes one. Raises WrongRequest."""
    name: RoleName | None = next((each for each in ROLE_NAMES if each == role), None)
    if name is None:
        raise WrongRequest(f"{role!r} is no role{nearest(role, ROLE_NAMES)}")
    if (name in OF_A_CHANNEL) != bool(channel):
        takes = "give --channel, like email" if name in OF_A_CHANNEL else "leave --channel out"
        raise WrongRequest(f"the rights of {name} are {'' if name in OF_A_CHANNEL else 'not '}of one channel: {takes}")
    if channel:
        read_channel(channel)
    return name

"""The rights of this user in Kafka as the doctor looks at them: all that a role needs, right by right."""

from dataclasses import dataclass

from streams.operations.doctor.checked import Checked
from streams.operations.rights import lacks
from streams.operations.servers import Servers
from streams.wire.names import channel_topics
from streams.wire.rights import Asked, Right, RoleName, rights_of


@dataclass(frozen=True, slots=True)
class As:
    """Whose rights are looked at. `role` None: a worker's or an operator's, of which this user lacks the less."""

    role: RoleName | None = None
    channel: str = ""


async def check_rights(servers: Servers, wanted: As) -> list[Checked]:
    """Look at every right of a role. Raises NotReachable."""
    roles: tuple[RoleName, ...] = ("worker", "operator") if wanted.role is None else (wanted.role,)
    asked = Asked(servers.deployment, servers.settings.group, wanted.channel)
    missing: dict[RoleName, list[Right]] = {}
    async with servers.cluster() as cluster:
        for role in roles:
            missing[role] = await cluster.missing_rights(rights_of(role, asked))
    role = min(roles, key=lambda each: len(missing[each]))
    name = f"rights of the {role} in Kafka"
    needed = [right for right in missing[role] if not right.advisable]
    if needed:
        return [Checked("rights", name, "away", lacks(servers.log.connection, needed, role).sentence)]
    if missing[role]:
        said = f"settings cannot be checked without {', '.join(map(str, missing[role]))}"
        return [Checked("rights", name, "advice", said, f"`segue acls {role}` lists them all")]
    return [Checked("rights", name, "right", "this user has them all"), *await _channel(servers, wanted)]


async def _channel(servers: Servers, wanted: As) -> list[Checked]:
    """See that the channel of a deliverer or a reader has a topic: nobody notices that a name is misspelt."""
    if not wanted.channel:
        return []
    topic, _ = channel_topics(servers.deployment, wanted.channel)
    async with servers.cluster() as cluster:
        if topic in await cluster.existing([topic]):
            return [Checked("topics", f"topic {topic}", "right", "it is there")]
    what = f"there is none: no catalogue with the channel {wanted.channel!r} was ever applied"
    return [Checked("topics", f"topic {topic}", "wrong", what, "see how the channel is written in the catalogue")]

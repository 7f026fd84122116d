"""The rights of this user in Kafka as the doctor looks at them: all that a role needs, right by right."""

from dataclasses import dataclass

from streams.operations.doctor.checked import Checked
from streams.operations.rights import lacks
from streams.operations.servers import Servers
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
    return [Checked("rights", name, "right", "this user has them all")]

"""The rights that a role needs in Kafka: as commands that give them, and as a check that they are there."""

import shlex
from collections.abc import Iterable, Sequence

from streams.errors import RefusalCode, Refused
from streams.log.admin import connected
from streams.log.connection import KafkaConnection
from streams.wire.rights import Right, RoleName

KAFKA_ACLS = "kafka-acls.sh --bootstrap-server {servers} --command-config {config} --add --allow-principal {principal}"


def acl_commands(rights: Sequence[Right], principal: str, servers: str, config: str) -> list[str]:
    """Return commands of Apache Kafka that give rights to a principal (`User:segue-worker`), few and in a fixed order.

    `config`: the file with which kafka-acls.sh comes in as somebody who may give rights.
    """
    begin = KAFKA_ACLS.format(
        servers=shlex.quote(servers), config=shlex.quote(config), principal=shlex.quote(principal)
    )
    operations: dict[tuple[str, str, bool], list[str]] = {}
    for right in rights:
        mine = operations.setdefault((right.kind, right.name, right.prefixed), [])
        mine += [each for each in right.operations if each not in mine]
    alike: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for (kind, name, prefixed), each in operations.items():
        alike.setdefault((kind, prefixed, tuple(each)), []).append(name)
    return [f"{begin} {_resources(kind, names, prefixed, each)}" for (kind, prefixed, each), names in alike.items()]


def _resources(kind: str, names: Iterable[str], prefixed: bool, operations: Iterable[str]) -> str:
    given = " ".join(f"--operation {each}" for each in operations)
    what = "--cluster" if kind == "cluster" else " ".join(f"--{kind} {shlex.quote(name)}" for name in names)
    return f"{given} {what}{' --resource-pattern-type prefixed' if prefixed else ''}"


async def check_rights(connection: KafkaConnection, role: RoleName, rights: Sequence[Right]) -> None:
    """See that this client has the rights of a role; those that are only advisable are not asked for.

    Raises Refused, which names all that is missing; NotReachable.
    """
    needed = [right for right in rights if not right.advisable]
    async with connected(connection) as cluster:
        missing = await cluster.missing_rights(needed)
    if missing:
        raise lacks(connection, missing, role)


def lacks(connection: KafkaConnection, missing: Sequence[Right], role: RoleName) -> Refused:
    """Say which rights are missing, and where a person finds them."""
    what = ", ".join(map(str, missing))
    return Refused(
        RefusalCode.RIGHT,
        f"Kafka does not let {connection.who} {what}: add that ACL; `segue acls {role}` lists them all",
    )

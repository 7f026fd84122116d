"""A deployment on a Kafka with TLS, logins and ACLs: each role comes in its own way, with its rights.

operator   by certificate        worker     by password (SCRAM-SHA-512)
producer   by password (PLAIN)   deliverer  by password (SCRAM-SHA-256)
reader     by token
"""

import asyncio
import ssl
from pathlib import Path

import pytest
from aiokafka.abc import AbstractTokenProvider

from streams.client import Channel
from streams.embedded import ValkeyServer
from streams.embedded.security import AUDIENCE
from streams.settings import Deployment
from streams.wire.rights import Asked, Right, RoleName, rights_of
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.test_deliver import CATALOGUE, CONSENT
from tests.secured import Secured
from tests.servers import unique
from tests.streams.delivery.platform import environment, running

pytestmark = pytest.mark.servers
GROUP_OF_READER = "crm"


class World:
    """One deployment, as each role sees it."""

    def __init__(self, secured: Secured, redis: str, folder: Path) -> None:
        self.secured = secured
        self.name = unique("secured")
        self._plain = deployment(self.name, "", redis, 2)
        self._plain.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{self.name}.activation"
        self._ways = {
            "operator": secured.by_certificate("operator"),
            "worker": secured.by_password("worker"),
            "producer": secured.by_password("producer", "PLAIN"),
            "deliverer": secured.by_password("deliverer", "SCRAM-SHA-256"),
        }
        self.folder = write_catalogue(folder, CATALOGUE)

    def as_(self, role: str) -> Segue:
        """Return the command line of a role."""
        return Segue({**self._plain.environment, **self._ways[role]})

    @property
    def deployment(self) -> Deployment:
        given = {name.removeprefix("SEGUE_").lower(): value for name, value in self._plain.environment.items()}
        return Deployment.model_validate({name: given[name] for name in Deployment.model_fields if name in given})

    def rights(self, role: RoleName) -> tuple[Right, ...]:
        """Return what a role needs."""
        channel = "email" if role in ("deliverer", "reader") else ""
        return rights_of(role, Asked(self.deployment, self.name, channel, GROUP_OF_READER if role == "reader" else ""))

    def allow(self, role: RoleName, rights: tuple[Right, ...] | None = None) -> None:
        """Give a role its rights, or others."""
        asyncio.run(self.secured.allow(role, self.rights(role) if rights is None else rights))


@pytest.fixture(scope="module")
def world(secured: Secured, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(secured, valkey.redis_url, tmp_path_factory.mktemp("secured"))
    roles: tuple[RoleName, ...] = ("operator", "worker", "producer", "deliverer", "reader")
    for role in roles:
        made.allow(role)
    made.as_("operator").done("topics")
    made.as_("operator").done("apply", made.folder)
    return made


async def test_each_role_does_its_work_with_exactly_its_rights(world: World) -> None:
    async with running("standard") as platform:
        deliverer = world.as_("deliverer")
        deliverer.environment |= environment(platform)
        with world.as_("worker").started("worker") as worker, deliverer.started("deliver", "email") as delivering:
            events = event("hcp:1", "portal.login", 1) + event("hcp:1", "consent.granted", 2, **CONSENT)
            await asyncio.to_thread(world.as_("producer").done, "send", "-", stdin=events)
            count = ("--from-start", "--count", 2, "--seconds", 60, "--json")
            watched = await asyncio.to_thread(world.as_("operator").done, "watch", *count)
            assert {change["change"] for change in watched.lines} == {"entered", "activated"}
            assert await read_one(world) == "hcp:1"
            await asyncio.to_thread(wait_for, lambda: len(platform.taken) == 1)
            lag = await asyncio.to_thread(world.as_("operator").done, "lag", "--json")
            assert lag.json["lag_records"] == 0
            await delete_one(world)
            worked = await asyncio.to_thread(stop, worker)
            delivered = await asyncio.to_thread(stop, delivering)
    assert (worked.status, delivered.status) == (0, 0), worked.err + delivered.err
    for ended in (worked, delivered):
        ours = [line for line in ended.logged if line["logger"].startswith("streams.")]
        told = [line["message"] for line in ours if line["level"] in ("warning", "error")]
        assert [each for each in told if not each.startswith("redis: ")] == []
        assert "password" not in ended.err


async def delete_one(world: World) -> None:
    """Ask a platform to delete somebody who was erased, where the deliverer runs."""
    gone = await asyncio.to_thread(world.as_("operator").done, "erase", "hcp:2", "--yes", "--json")
    async with running("customerio") as platform:
        deliverer = world.as_("deliverer")
        deliverer.environment |= environment(platform)
        asked = ("deliver", "email", "--delete", "hcp:2", "--erasure", gone.json["id"])
        deleted = await asyncio.to_thread(deliverer.done, *asked)
    assert deleted.out == "email: 1 deletion accepted, 0 refused\n"


async def read_one(world: World) -> str:
    """Read one change as a platform does, which comes in by a token."""

    class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
        async def token(self) -> str:
            return world.secured.issuer.token("reader", AUDIENCE)

    channel = Channel(
        "email",
        bootstrap_servers=world.secured.server.bootstrap_of("TOKEN"),
        topic_prefix=world.deployment.activation_topic_prefix,
        group=GROUP_OF_READER,
        start="earliest",
        security_protocol="SASL_SSL",
        ssl_context=ssl.create_default_context(cafile=str(world.secured.authority.file)),
        sasl_mechanism="OAUTHBEARER",
        sasl_oauth_token_provider=Tokens(),
    )
    async with channel, asyncio.timeout(60):
        async for change in channel.changes():
            return change.subject
    raise AssertionError("the channel ended")


@pytest.mark.parametrize(
    ("role", "without", "command", "lacks"),
    [
        ("producer", "Write", ("send", "-"), "Describe topic {name}.engagement.events"),
        (
            "operator",
            "transactional-id",
            ("apply", "{folder}"),
            "Write transactional id segue-apply-{name}.segue.catalogues-0",
        ),
        ("operator", "catalogues", ("sizes",), "Describe topic {name}.segue.catalogues"),
        ("worker", "membership", ("worker",), "Write topic {name}.segment.membership"),
        ("worker", "group", ("worker",), "Read group {name}"),
        ("deliverer", "group", ("deliver", "email"), "Read group {name}.deliver.email"),
    ],
)
def test_a_missing_right_ends_a_command_with_one_sentence(
    world: World, role: RoleName, without: str, command: tuple[str, ...], lacks: str
) -> None:
    rights = tuple(
        right
        for right in world.rights(role)
        if without not in (right.kind, right.name.rpartition(".")[2], *right.operations)
    )
    assert rights != world.rights(role)
    world.allow(role, rights)
    try:
        segue = world.as_(role)
        segue.environment["SEGUE_DELIVER_URL"] = "http://127.0.0.1:1"
        segue.environment["SEGUE_DELIVER_SECRETS"] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
        ended = segue(*(each.format(folder=world.folder) for each in command), stdin=event("hcp:1", "portal.login", 9))
        user = "this client" if role == "operator" else f"user {role!r}"
        told = f"Kafka does not let {user} {lacks.format(name=world.name)}: add that ACL; `segue acls"
        assert ended.status == 3, ended.err
        said = [line for line in ended.err.splitlines() if told in line]
        assert len(said) == 1, ended.err
    finally:
        world.allow(role)

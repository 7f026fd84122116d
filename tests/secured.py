"""A Kafka that encrypts and asks who is there, for a whole pytest session (fixture `secured`).

Each user of `USERS` logs in by password (listener SCRAM), by certificate (MTLS) or by token (TOKEN), and may do what
ACLs allow: at first nothing. `plain` leads to the same broker in plain text, where everything is allowed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest
from aiokafka.protocol.api import Request

from streams.embedded import KafkaServer, prepare
from streams.embedded.security import AUDIENCE, Security
from streams.log.rights import OPERATIONS
from streams.wire.rights import Kind, Right
from tests.certificates import Authority, Issuer
from tests.servers import temporary_folder

KINDS: Final[Mapping[Kind, int]] = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
"""Numbers of the protocol (org.apache.kafka.common.resource, .acl)."""
SETTLED_S: Final = 0.2
"""How long the broker may take from the answer of an ACL to going by it."""
USERS: Final = ("worker", "deliverer", "reader", "operator", "producer", "nobody")


def password_of(user: str) -> str:
    """Return a user's password; every test knows it."""
    return f"{user}-password"


class _Create(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # aiokafka has no types
    """Creates all ACLs of a user in one request."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, user: str, rights: Iterable[Right]) -> None:
        self._rows = [
            (KINDS[right.kind], right.name, PREFIXED if right.prefixed else LITERAL, f"User:{user}", "*", number, ALLOW)
            for right in rights
            for number, operation in OPERATIONS.items()
            if operation in right.operations
        ]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


@dataclass(frozen=True, slots=True)
class Secured:
    """The running broker and what leads to it."""

    server: KafkaServer
    authority: Authority
    issuer: Issuer
    folder: Path
    security: Security

    @property
    def plain(self) -> str:
        """Bootstrap servers in plain text, for tests that arrange and look."""
        return self.server.bootstrap

    async def allow(self, user: str, rights: Iterable[Right]) -> None:
        """Give a user these rights, and no others. Returns when the broker goes by them."""
        async with self._admin() as admin:
            delete = DeleteAclsRequest(1, None, 1, f"User:{user}", None, 1, 1)
            await admin._send_to_controller(delete)  # noqa: SLF001 - aiokafka's own call reads the answer wrongly
            answer = await admin._send_to_controller(_Create(user, rights))  # noqa: SLF001 - aiokafka sends one at a time
            assert {code for code, _ in answer.creation_responses} <= {0}, answer
        await asyncio.sleep(SETTLED_S)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.plain)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    def by_password(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """Return the variables with which a command comes in as a user, by password."""
        return {
            **self._tls("SCRAM", "SASL_SSL"),
            "SEGUE_KAFKA_SASL_MECHANISM": mechanism,
            "SEGUE_KAFKA_SASL_USERNAME": user,
            "SEGUE_KAFKA_SASL_PASSWORD": password_of(user),
        }

    def by_certificate(self, user: str) -> dict[str, str]:
        """Return the variables with which a command comes in as a user, by certificate."""
        file = self.folder / f"{user}.pem"
        if not file.exists():
            self.authority.write(file, user)
        return {**self._tls("MTLS", "SSL"), "SEGUE_KAFKA_SSL_CERTFILE": str(file)}

    def by_token(self, user: str, seconds: float = 3600) -> dict[str, str]:
        """Return the variables with which a command comes in as a user, by a token in a file."""
        file = self.folder / f"{user}.token"
        file.write_text(self.issuer.token(user, AUDIENCE, seconds))
        return {
            **self._tls("TOKEN", "SASL_SSL"),
            "SEGUE_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE": str(file),
        }

    def _tls(self, listener: str, protocol: str) -> dict[str, str]:
        return {
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS": self.server.bootstrap_of(listener),
            "SEGUE_KAFKA_SECURITY_PROTOCOL": protocol,
            "SEGUE_KAFKA_SSL_CAFILE": str(self.authority.file),
        }


@contextmanager
def running_secured(users: Sequence[str] = USERS, session_ms: int = 0) -> Iterator[Secured]:
    """Start one, killed and removed at the end."""
    prepare(lambda _: None)
    with temporary_folder() as folder:
        authority, issuer = Authority(folder), Issuer(folder)
        keystore = authority.write(folder / "broker.pem", "broker", "localhost")
        passwords = {user: password_of(user) for user in users}
        security = Security(keystore, authority.file, issuer.keys, passwords, session_ms)
        server = KafkaServer(security=security, remove=folder)
        try:
            server.start(folder / "kafka")
            yield Secured(server, authority, issuer, folder, security)
        finally:
            server.kill()

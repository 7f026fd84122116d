"""How this process reaches Kafka: one value for every client, made from the settings once.

    connection = KafkaConnection.of(settings)
    Consumer(**connection.options(), group_id=…)

aiokafka fixes credentials and certificates when a client is made. Here they are taken at each new connection
(`streams.log.connecting`): a changed file holds from the next connection on, in every client, without a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any, Self

from streams.kafka_settings import KafkaSettings, SaslMechanism, SecurityProtocol
from streams.log.connecting import Access, take_access_at_each_connection
from streams.log.tls import Tls
from streams.log.tokens import TokenSource, token_source
from streams.secret import Secret


@dataclass(frozen=True, slots=True)
class Sasl:
    """How this process logs in. `tokens` is for OAUTHBEARER and AWS_MSK_IAM, user and password for the others."""

    mechanism: SaslMechanism
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret("SEGUE_KAFKA_SASL_PASSWORD"))
    tokens: TokenSource | None = field(default=None, repr=False)

    @property
    def spoken(self) -> str:
        """The mechanism as the broker knows it: Amazon's signer makes OAUTHBEARER tokens."""
        return "OAUTHBEARER" if self.mechanism == "AWS_MSK_IAM" else self.mechanism


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where Kafka is, and who this process is there. `KafkaConnection("host:port")` is one in plain text."""

    bootstrap_servers: str
    protocol: SecurityProtocol = "PLAINTEXT"
    tls: Tls = field(default_factory=Tls)
    sasl: Sasl | None = None
    access: Access = field(init=False, repr=False, compare=False)
    """What the clients made from this value met at their last connections; `access.refusal` is for health pages."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "access", Access(self))

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        """Make it from settings, which have been checked against each other. Make one a process."""
        tls = Tls(
            settings.kafka_ssl_cafile,
            settings.kafka_ssl_certfile,
            settings.kafka_ssl_keyfile,
            settings.kafka_secret("ssl_key_password"),
            settings.kafka_ssl_check_hostname,
        )
        sasl = None
        if settings.kafka_sasl_mechanism is not None:
            sasl = Sasl(
                settings.kafka_sasl_mechanism,
                settings.kafka_sasl_username,
                settings.kafka_secret("sasl_password"),
                token_source(settings),
            )
        return cls(settings.kafka_bootstrap_servers, settings.kafka_security_protocol, tls, sasl)

    @property
    def user(self) -> str:
        """Who this process is at Kafka, for sentences; "" where only the broker knows."""
        return self.sasl.username if self.sasl is not None else ""

    @property
    def who(self) -> str:
        """Who this process is at Kafka, in a sentence."""
        return f"user {self.user!r}" if self.user else "this client"

    @property
    def encrypted(self) -> bool:
        """Whether connections are TLS."""
        return self.protocol in ("SSL", "SASL_SSL")

    def options(self) -> Mapping[str, Any]:
        """Return what every client of aiokafka is made with: where to connect, and how. They hold no secret."""
        take_access_at_each_connection()
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.protocol,
            "sasl_oauth_token_provider": self.access,
        }
        if self.encrypted:
            # aiokafka wants one; each connection gets its own. This one trusts nobody
            options["ssl_context"] = SSLContext(PROTOCOL_TLS_CLIENT)
        if self.sasl is not None:
            options |= {"sasl_mechanism": self.sasl.spoken, "sasl_plain_username": "", "sasl_plain_password": ""}
        return options

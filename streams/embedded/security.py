"""Listeners of an embedded Kafka that encrypt and ask who is there, beside the one in plain text. For tests.

    SCRAM   SASL_SSL with user and password (SCRAM-SHA-256, SCRAM-SHA-512, PLAIN)
    MTLS    SSL with a certificate of the client; the user is its common name
    TOKEN   SASL_SSL with a signed token (OAUTHBEARER), whose keys stand in a file; the user is its subject

A client in plain text may do everything. A client of another listener may do what ACLs allow: at first nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")
AUDIENCE: Final = "segue-test-kafka"
"""Of tokens that the broker takes."""
_MODULES: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Security:
    """The files and users of these listeners."""

    keystore: Path
    """The broker's key and certificate (PEM)."""
    truststore: Path
    """Authorities of the clients' certificates (PEM)."""
    keys: Path
    """Public keys of the tokens' issuer (JWKS)."""
    users: Mapping[str, str]
    """Passwords by user."""
    session_ms: int = 0
    """After so long a client must log in again on a new connection; 0: never."""

    @property
    def listeners(self) -> Sequence[str]:
        """The names of the listeners."""
        return ("SCRAM", "MTLS", "TOKEN")

    @property
    def protocols(self) -> str:
        """What follows in `listener.security.protocol.map`."""
        return ",SCRAM:SASL_SSL,MTLS:SSL,TOKEN:SASL_SSL"

    @property
    def jvm_options(self) -> Sequence[str]:
        """Kafka reads keys from the places that are named here, and from no other."""
        return (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.keys.as_uri()}",)

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the broker's settings for them."""
        scram, token = "listener.name.scram", "listener.name.token"
        plain = " ".join(f'user_{user}="{password}"' for user, password in self.users.items())
        found = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.truststore),
            "listener.name.mtls.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            f"{scram}.sasl.enabled.mechanisms": ",".join((*SCRAM, "PLAIN")),
            f"{scram}.plain.sasl.jaas.config": f"{_MODULES}.plain.PlainLoginModule required {plain};",
            f"{token}.sasl.enabled.mechanisms": "OAUTHBEARER",
            f"{token}.oauthbearer.sasl.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required;",
            f"{token}.oauthbearer.sasl.server.callback.handler.class": (
                f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            f"{token}.sasl.oauthbearer.jwks.endpoint.url": self.keys.as_uri(),
            f"{token}.sasl.oauthbearer.expected.audience": AUDIENCE,
        }
        for mechanism in SCRAM:
            name = f"{scram}.{mechanism.lower()}.sasl.jaas.config"
            found[name] = f"{_MODULES}.scram.ScramLoginModule required;"
        if self.session_ms:
            found["connections.max.reauth.ms"] = str(self.session_ms)
        return found

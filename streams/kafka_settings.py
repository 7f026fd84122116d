"""How a process reaches Kafka and who it is there: the `SEGUE_KAFKA_*` variables.

Their names are those of librdkafka (`sasl.oauthbearer.client.id`) or of kafka-python (`ssl_cafile`), in capitals. Every
secret may stand in a file instead; `…_FILE` names it. docs/operations/securing.md says which settings belong together.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.secret import Secret, SecretUnreadable

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]
WITH_PASSWORD: tuple[SaslMechanism, ...] = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def _none_if_empty(value: object) -> object:
    """Read a variable that is set to nothing as one that is not set."""
    return None if value == "" else value


OptionalPath: TypeAlias = Annotated[Path | None, BeforeValidator(_none_if_empty)]


class KafkaSettings(BaseSettings):
    """May change at a restart. The content of files may change at any time: the next connection reads them anew."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True, hide_input_in_errors=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers to ask first, as `host:port`, with commas between."""
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: whether connections are encrypted (SSL), and whether this process
    logs in (SASL)."""
    kafka_ssl_cafile: OptionalPath = None
    """Certificates of authorities (PEM) that brokers' certificates are checked against, instead of the system's."""
    kafka_ssl_certfile: OptionalPath = None
    """The certificate (PEM, with those between it and its authority) that this process shows to brokers."""
    kafka_ssl_keyfile: OptionalPath = None
    """The private key of that certificate (PEM), where it is in a file of its own."""
    kafka_ssl_key_password: SecretStr = SecretStr("")
    """The password of that private key."""
    kafka_ssl_key_password_file: OptionalPath = None
    """The file that holds it instead."""
    kafka_ssl_check_hostname: bool = True
    """Whether a broker's certificate must name the host that was asked for. Turn it off in tests only."""
    kafka_sasl_mechanism: Annotated[SaslMechanism | None, BeforeValidator(_none_if_empty)] = None
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, or AWS_MSK_IAM (Amazon MSK, by its signer; needs the extra
    `msk`)."""
    kafka_sasl_username: str = ""
    """For PLAIN and SCRAM."""
    kafka_sasl_password: SecretStr = SecretStr("")
    """For PLAIN and SCRAM."""
    kafka_sasl_password_file: OptionalPath = None
    """The file that holds it instead."""
    kafka_sasl_oauthbearer_token_endpoint_url: str = ""
    """For OAUTHBEARER by client credentials: where tokens are issued (https://…)."""
    kafka_sasl_oauthbearer_client_id: str = ""
    """The client that tokens are issued to."""
    kafka_sasl_oauthbearer_client_secret: SecretStr = SecretStr("")
    """The secret of that client."""
    kafka_sasl_oauthbearer_client_secret_file: OptionalPath = None
    """The file that holds it instead."""
    kafka_sasl_oauthbearer_scope: str = ""
    """The scope that is asked for, where the issuer wants one."""
    kafka_sasl_oauthbearer_cafile: OptionalPath = None
    """Certificates of authorities (PEM) that the issuer's certificate is checked against, instead of the system's."""
    kafka_sasl_oauthbearer_token_file: OptionalPath = None
    """For OAUTHBEARER with a token that another program keeps fresh in a file, as Kubernetes does for an account."""
    kafka_sasl_oauthbearer_provider: str = ""
    """For OAUTHBEARER with tokens of your own code: `package.module:function`, or the name of an entry point in the
    group `segue.kafka_tokens`. It takes no arguments and returns a token, or awaits one."""
    kafka_sasl_aws_region: str = ""
    """For AWS_MSK_IAM: the region of the cluster."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for problem in (*_address_problems(self), *_tls_problems(self), *_sasl_problems(self)):
            raise ValueError(problem)
        return self

    def kafka_secret(self, name: str) -> Secret:
        """Return a secret by the name of its setting, such as `sasl_password`."""
        value: SecretStr = getattr(self, f"kafka_{name}")
        file: Path | None = getattr(self, f"kafka_{name}_file")
        return Secret(f"SEGUE_KAFKA_{name.upper()}", value.get_secret_value(), file)


def _address_problems(of: KafkaSettings) -> Iterator[str]:
    """Say what is no broker, each as `setting: sentence`. An empty place between commas is passed over."""
    brokers = [each.strip() for each in of.kafka_bootstrap_servers.split(",") if each.strip()]
    if not brokers:
        yield "kafka_bootstrap_servers: it names no broker: set it to host:port, with commas between"
    for broker in brokers:
        if not _is_broker(broker):
            yield f"kafka_bootstrap_servers: {broker!r} is no host:port with a port from 1 to 65535"


def _is_broker(text: str) -> bool:
    """Return whether this is `host`, `host:port`, `[address]:port` or an address of IP version 6 alone."""
    if text.count(":") > 1 and not text.startswith("["):
        try:
            return bool(IPv6Address(text))
        except ValueError:
            return False
    try:
        parts = urlsplit(f"//{text}")
        return parts.netloc == text and "@" not in text and " " not in text and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _tls_problems(of: KafkaSettings) -> Iterator[str]:
    """Say what contradicts itself about TLS, each as `setting: sentence`."""
    tls = of.kafka_security_protocol in ("SSL", "SASL_SSL")
    for name in ("cafile", "certfile", "keyfile"):
        setting = f"kafka_ssl_{name}"
        file: Path | None = getattr(of, setting)
        if file is None:
            continue
        if not tls:
            protocol = of.kafka_security_protocol
            yield f"{setting}: it is set, but SEGUE_KAFKA_SECURITY_PROTOCOL is {protocol}, not SSL or SASL_SSL"
        yield from _unreadable(setting, file)
    if of.kafka_ssl_keyfile is not None and of.kafka_ssl_certfile is None:
        yield "kafka_ssl_keyfile: it is set without SEGUE_KAFKA_SSL_CERTFILE, the certificate of that key"
    yield from _secret_problems(of, "ssl_key_password")
    if of.kafka_secret("ssl_key_password") and of.kafka_ssl_certfile is None:
        yield "kafka_ssl_key_password: it is set without SEGUE_KAFKA_SSL_CERTFILE, the certificate of that key"


def _sasl_problems(of: KafkaSettings) -> Iterator[str]:
    """Say what contradicts itself about logging in, each as `setting: sentence`."""
    sasl, mechanism = of.kafka_security_protocol.startswith("SASL_"), of.kafka_sasl_mechanism
    if sasl and mechanism is None:
        yield f"kafka_sasl_mechanism: it is not set, and SEGUE_KAFKA_SECURITY_PROTOCOL is {of.kafka_security_protocol}"
    if mechanism is not None and not sasl:
        protocol = of.kafka_security_protocol
        yield f"kafka_sasl_mechanism: it is {mechanism}, but SEGUE_KAFKA_SECURITY_PROTOCOL is {protocol}, not SASL_SSL"
    yield from _secret_problems(of, "sasl_password")
    yield from _secret_problems(of, "sasl_oauthbearer_client_secret")
    password = of.kafka_secret("sasl_password")
    if mechanism in WITH_PASSWORD:
        if not of.kafka_sasl_username:
            yield f"kafka_sasl_username: it is not set, and {mechanism} needs it"
        if not password:
            yield f"kafka_sasl_password: it is not set, and {mechanism} needs it, or SEGUE_KAFKA_SASL_PASSWORD_FILE"
    elif of.kafka_sasl_username or password:
        name = "username" if of.kafka_sasl_username else "password"
        yield f"kafka_sasl_{name}: it is set, but SEGUE_KAFKA_SASL_MECHANISM is not PLAIN or SCRAM-SHA-…"
    if mechanism == "AWS_MSK_IAM" and not of.kafka_sasl_aws_region:
        yield "kafka_sasl_aws_region: it is not set, and AWS_MSK_IAM needs it"
    yield from _oauth_problems(of)


def _oauth_problems(of: KafkaSettings) -> Iterator[str]:
    """Say what contradicts itself about tokens, each as `setting: sentence`."""
    prefix = "kafka_sasl_oauthbearer_"
    ways = [name for name in ("token_endpoint_url", "token_file", "provider") if getattr(of, prefix + name)]
    if of.kafka_sasl_mechanism != "OAUTHBEARER":
        for name in ways:
            yield f"{prefix}{name}: it is set, but SEGUE_KAFKA_SASL_MECHANISM is not OAUTHBEARER"
        return
    if len(ways) != 1:
        names = " or ".join(f"SEGUE_{prefix}{name}".upper() for name in ("token_file", "provider"))
        yield f"{prefix}token_endpoint_url: OAUTHBEARER takes its tokens one way: set this, or {names}"
    if of.kafka_sasl_oauthbearer_token_file is not None:
        yield from _unreadable(f"{prefix}token_file", of.kafka_sasl_oauthbearer_token_file)
    if of.kafka_sasl_oauthbearer_token_endpoint_url:
        url = urlsplit(of.kafka_sasl_oauthbearer_token_endpoint_url)
        if url.scheme != "https" or not url.hostname or url.username is not None or url.password is not None:
            yield f"{prefix}token_endpoint_url: it begins with https:// and names a host, without user and password"
        if not of.kafka_sasl_oauthbearer_client_id:
            yield f"{prefix}client_id: it is not set, and the token endpoint needs it"
        if not of.kafka_secret("sasl_oauthbearer_client_secret"):
            yield f"{prefix}client_secret: it is not set, and the token endpoint needs it"
    if of.kafka_sasl_oauthbearer_cafile is not None:
        yield from _unreadable(f"{prefix}cafile", of.kafka_sasl_oauthbearer_cafile)


def _secret_problems(of: KafkaSettings, name: str) -> Iterator[str]:
    """Say what is wrong about a secret: set twice, or its file cannot be read."""
    secret = of.kafka_secret(name)
    if secret.value and secret.file is not None:
        yield f"kafka_{name}: it is set, and {secret.setting}_FILE too; set one of them"
    try:
        secret.reveal()
    except SecretUnreadable as wrong:
        yield f"kafka_{name}_file: {str(wrong).partition(': ')[2]}"


def _unreadable(setting: str, file: Path) -> Iterator[str]:
    """Say why a file cannot be read, if it cannot."""
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        yield f"{setting}: {file}: {error.strerror}"

"""The settings of Kafka: what contradicts itself is one sentence with the setting's name, and secrets stay secret."""

from pathlib import Path

import pytest

from streams.kafka_settings import KafkaSettings
from streams.operations.errors import WrongRequest
from streams.operations.settings import read_settings
from streams.secret import Secret, SecretUnreadable

SCRAM = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-512", "SASL_USERNAME": "segue"}
OAUTH = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "OAUTHBEARER"}
ENDPOINT = {"SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://issuer/token"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"BOOTSTRAP_SERVERS": "kafka-1:9092,kafka-2:99999"},
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS: 'kafka-2:99999' is no host:port with a port from 1 to 65535",
        ),
        (
            {"BOOTSTRAP_SERVERS": "kafka-1:abc"},
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS: 'kafka-1:abc' is no host:port with a port from 1 to 65535",
        ),
        (
            {"BOOTSTRAP_SERVERS": "kafka://kafka-1:9092"},
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS: 'kafka://kafka-1:9092' is no host:port with a port from 1 to 65535",
        ),
        (
            {"BOOTSTRAP_SERVERS": "kafka-1:0"},
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS: 'kafka-1:0' is no host:port with a port from 1 to 65535",
        ),
        (
            {"BOOTSTRAP_SERVERS": " , "},
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS: it names no broker: set it to host:port, with commas between",
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL"},
            "SEGUE_KAFKA_SASL_MECHANISM: it is not set, and SEGUE_KAFKA_SECURITY_PROTOCOL is SASL_SSL",
        ),
        (
            {"SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "a", "SASL_PASSWORD": "CANARY"},
            "SEGUE_KAFKA_SASL_MECHANISM: it is PLAIN, but SEGUE_KAFKA_SECURITY_PROTOCOL is PLAINTEXT, not SASL_SSL",
        ),
        (
            SCRAM,
            "SEGUE_KAFKA_SASL_PASSWORD: it is not set, and SCRAM-SHA-512 needs it, or SEGUE_KAFKA_SASL_PASSWORD_FILE",
        ),
        (
            SCRAM | {"SASL_PASSWORD_FILE": "/nowhere/password"},
            "SEGUE_KAFKA_SASL_PASSWORD_FILE: /nowhere/password: No such file or directory",
        ),
        (
            {"SECURITY_PROTOCOL": "SSL", "SSL_CAFILE": "/nowhere/ca.pem"},
            "SEGUE_KAFKA_SSL_CAFILE: /nowhere/ca.pem: No such file or directory",
        ),
        (
            {"SSL_CAFILE": "/dev/null"},
            "SEGUE_KAFKA_SSL_CAFILE: it is set, but SEGUE_KAFKA_SECURITY_PROTOCOL is PLAINTEXT, not SSL or SASL_SSL",
        ),
        (
            {"SECURITY_PROTOCOL": "SSL", "SSL_KEYFILE": "/dev/null"},
            "SEGUE_KAFKA_SSL_KEYFILE: it is set without SEGUE_KAFKA_SSL_CERTFILE, the certificate of that key",
        ),
        (
            OAUTH,
            "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: OAUTHBEARER takes its tokens one way: set this, or"
            " SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE or SEGUE_KAFKA_SASL_OAUTHBEARER_PROVIDER",
        ),
        (
            OAUTH | ENDPOINT,
            "SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_ID: it is not set, and the token endpoint needs it",
        ),
        (
            OAUTH | {"SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "http://issuer/token"},
            "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: it begins with https:// and names a host, without user"
            " and password",
        ),
        (
            SCRAM | {"SASL_PASSWORD": "CANARY"} | ENDPOINT,
            "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: it is set, but SEGUE_KAFKA_SASL_MECHANISM is not"
            " OAUTHBEARER",
        ),
        (
            SCRAM | {"SASL_PASSWORD": "CANARY", "SASL_PASSWORD_FILE": "/dev/null"},
            "SEGUE_KAFKA_SASL_PASSWORD: it is set, and SEGUE_KAFKA_SASL_PASSWORD_FILE too; set one of them",
        ),
    ],
)
def test_a_contradiction_is_one_sentence_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], told: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"SEGUE_KAFKA_{name}", value)
    with pytest.raises(WrongRequest) as refused:
        read_settings()
    assert str(refused.value) == told
    assert "CANARY" not in str(refused.value)


def test_a_secret_is_in_no_text_of_the_settings_and_of_what_is_made_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SCRAM | {"SASL_PASSWORD": "CANARY"}).items():
        monkeypatch.setenv(f"SEGUE_KAFKA_{name}", value)
    settings = KafkaSettings()
    assert settings.kafka_secret("sasl_password").reveal() == "CANARY"
    for each in (settings, settings.model_dump(), settings.kafka_secret("sasl_password")):
        assert "CANARY" not in repr(each) + str(each)


def test_a_secret_in_a_file_is_read_anew_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    secret = Secret("SEGUE_KAFKA_SASL_PASSWORD", file=file)
    assert secret.reveal() == "first"
    file.write_text("second\n")
    assert secret.reveal() == "second"
    file.write_text("\n")
    with pytest.raises(SecretUnreadable, match=r"^SEGUE_KAFKA_SASL_PASSWORD_FILE: .*: it is empty$"):
        secret.reveal()


@pytest.mark.parametrize("servers", ["kafka-1", "kafka-1:9092, kafka-2:9093,", "[::1]:9092", "::1", "10.0.0.1:65535"])
def test_what_names_brokers_is_taken(servers: str) -> None:
    assert KafkaSettings(kafka_bootstrap_servers=servers).kafka_bootstrap_servers == servers

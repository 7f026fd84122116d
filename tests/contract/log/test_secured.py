"""Kafka as companies run it: every way to come in, and what each refusal is told as. On a real broker."""

import re
from pathlib import Path

import pytest

from streams.errors import NotReachable, RefusalCode, Refused
from streams.kafka_settings import KafkaSettings
from streams.log.admin import connected
from streams.log.connection import KafkaConnection
from streams.operations.rights import check_rights
from streams.settings import Deployment
from streams.wire.rights import Asked, rights_of
from streams.wire.topics import topics
from tests.certificates import Authority
from tests.secured import Secured, password_of
from tests.servers import unique


def connection(environment: dict[str, str]) -> KafkaConnection:
    """Make a connection from variables."""
    given = {name.removeprefix("SEGUE_").lower(): value for name, value in environment.items()}
    return KafkaConnection.of(KafkaSettings.model_validate(given))


async def refusal(environment: dict[str, str]) -> tuple[RefusalCode, str]:
    """Return what a connection is refused with; the port is left out of the sentence."""
    with pytest.raises(Refused) as refused:
        async with connected(connection(environment)):
            pass
    assert str(refused.value) == refused.value.sentence
    return refused.value.code, re.sub(r":\d+", "", refused.value.sentence)


WAYS = {
    "SCRAM-SHA-512": lambda it: it.by_password("worker"),
    "SCRAM-SHA-256": lambda it: it.by_password("worker", "SCRAM-SHA-256"),
    "PLAIN": lambda it: it.by_password("worker", "PLAIN"),
    "certificate": lambda it: it.by_certificate("worker"),
    "token": lambda it: it.by_token("worker"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_comes_in(secured: Secured, way: str) -> None:
    to = connection(WAYS[way](secured))
    async with connected(to) as cluster:
        assert await cluster.existing([]) == {}
    assert to.access.refusal is None


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_a_wrong_password_is_told(secured: Secured, mechanism: str) -> None:
    wrong = secured.by_password("worker", mechanism) | {"SEGUE_KAFKA_SASL_PASSWORD": "CANARY"}
    assert await refusal(wrong) == (
        RefusalCode.CREDENTIALS,
        "Kafka at localhost refuses: user 'worker' or the password is wrong: see SEGUE_KAFKA_SASL_USERNAME and"
        " SEGUE_KAFKA_SASL_PASSWORD",
    )


async def test_a_token_that_has_expired_is_told(secured: Secured) -> None:
    code, told = await refusal(secured.by_token("worker", seconds=-600))
    assert (code, told) == (
        RefusalCode.TOKEN,
        "Kafka at localhost refuses: it does not take the token: look at its issuer, audience, scope and time, and at"
        " the broker's log",
    )


async def test_a_token_file_that_is_gone_is_told(secured: Secured) -> None:
    environment = secured.by_token("nobody")
    to = connection(environment)
    Path(environment["SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE"]).unlink()
    with pytest.raises(Refused, match=r"SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_FILE: .*: No such file or directory"):
        async with connected(to):
            pass


async def test_a_mechanism_that_the_listener_lacks_is_told(secured: Secured) -> None:
    other = secured.by_password("worker") | {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": secured.server.bootstrap_of("TOKEN")}
    assert await refusal(other) == (
        RefusalCode.MECHANISM,
        "Kafka at localhost does not take SCRAM-SHA-512 here: choose another SEGUE_KAFKA_SASL_MECHANISM",
    )


async def test_a_missing_client_certificate_is_told(secured: Secured) -> None:
    without = secured.by_certificate("worker")
    del without["SEGUE_KAFKA_SSL_CERTFILE"]
    assert await refusal(without) == (
        RefusalCode.CLIENT_CERTIFICATE,
        "Kafka at localhost refuses: it wants a client certificate: set SEGUE_KAFKA_SSL_CERTFILE",
    )


async def test_a_client_certificate_that_has_expired_is_told(secured: Secured, tmp_path: Path) -> None:
    file = secured.authority.write(tmp_path / "old.pem", "worker", expired=True)
    assert await refusal(secured.by_certificate("worker") | {"SEGUE_KAFKA_SSL_CERTFILE": str(file)}) == (
        RefusalCode.CLIENT_CERTIFICATE,
        "Kafka at localhost refuses: the certificate in SEGUE_KAFKA_SSL_CERTFILE has expired: renew it",
    )


async def test_a_client_certificate_of_another_authority_is_told(secured: Secured, tmp_path: Path) -> None:
    file = Authority(tmp_path, "other").write(tmp_path / "other-worker.pem", "worker")
    assert await refusal(secured.by_certificate("worker") | {"SEGUE_KAFKA_SSL_CERTFILE": str(file)}) == (
        RefusalCode.CLIENT_CERTIFICATE,
        "Kafka at localhost refuses: it does not take the certificate in SEGUE_KAFKA_SSL_CERTFILE",
    )


async def test_an_authority_that_is_not_known_is_told(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    assert await refusal(secured.by_password("worker") | {"SEGUE_KAFKA_SSL_CAFILE": str(other.file)}) == (
        RefusalCode.BROKER_CERTIFICATE,
        "the authority of the certificate of Kafka at localhost is not known here: name its file in"
        " SEGUE_KAFKA_SSL_CAFILE",
    )


async def test_a_certificate_of_another_host_is_told(secured: Secured) -> None:
    by_address = secured.server.bootstrap_of("SCRAM").replace("localhost", "127.0.0.1")
    environment = secured.by_password("worker") | {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": by_address}
    assert await refusal(environment) == (
        RefusalCode.BROKER_CERTIFICATE,
        "the certificate of Kafka at 127.0.0.1 is for another host: it must name 127.0.0.1",
    )
    async with connected(connection(environment | {"SEGUE_KAFKA_SSL_CHECK_HOSTNAME": "false"})):
        pass


async def test_a_broker_that_is_away_is_no_refusal(secured: Secured) -> None:
    with pytest.raises(NotReachable) as away:
        async with connected(
            connection(secured.by_password("worker") | {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
        ):
            pass
    assert not isinstance(away.value, Refused)


async def test_files_that_changed_hold_from_the_next_connection_on(secured: Secured, tmp_path: Path) -> None:
    file = secured.authority.write(tmp_path / "mine.pem", "worker", expired=True)
    password = tmp_path / "password"
    password.write_text("wrong")
    by_certificate = connection(secured.by_certificate("worker") | {"SEGUE_KAFKA_SSL_CERTFILE": str(file)})
    given = secured.by_password("worker") | {"SEGUE_KAFKA_SASL_PASSWORD_FILE": str(password)}
    del given["SEGUE_KAFKA_SASL_PASSWORD"]
    by_password = connection(given)
    for to in (by_certificate, by_password):
        with pytest.raises(Refused):
            async with connected(to):
                pass
        assert to.access.refusal is not None
    secured.authority.write(file, "worker")
    password.write_text(f"{password_of('worker')}\n")
    for to in (by_certificate, by_password):
        async with connected(to):
            pass
        assert to.access.refusal is None


async def test_a_key_with_a_password_is_opened_with_it_and_a_wrong_one_is_told(
    secured: Secured, tmp_path: Path
) -> None:
    certificate, key = secured.authority.issue("worker", password="opens it")
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    given = secured.by_certificate("worker") | {
        "SEGUE_KAFKA_SSL_CERTFILE": str(tmp_path / "certificate.pem"),
        "SEGUE_KAFKA_SSL_KEYFILE": str(tmp_path / "key.pem"),
    }
    async with connected(connection(given | {"SEGUE_KAFKA_SSL_KEY_PASSWORD": "opens it"})):
        pass
    for wrong, told in (
        ({"SEGUE_KAFKA_SSL_KEY_PASSWORD": "CANARY"}, f"the key in {tmp_path}/key.pem does not open with it"),
        ({}, f"it is not set, and the key in {tmp_path}/key.pem may need it"),
    ):
        assert await refusal(given | wrong) == (RefusalCode.FILE, f"SEGUE_KAFKA_SSL_KEY_PASSWORD: {told}")


async def test_each_right_of_a_worker_that_is_missing_is_named(secured: Secured) -> None:
    asked = Asked(Deployment(events_topic=unique("rights"), partitions=1), "rights")
    rights = [right for right in rights_of("worker", asked) if not right.advisable]
    async with connected(KafkaConnection(secured.plain)) as cluster:
        assert await cluster.create(topics(asked.deployment), 1) == []
    to = connection(secured.by_password("nobody"))
    try:
        for without in rights:
            await secured.allow("nobody", [right for right in rights if right is not without])
            if without.prefixed and without.kind == "topic":
                continue  # no topic of a channel is there yet
            with pytest.raises(Refused) as refused:
                await check_rights(to, "worker", rights)
            assert refused.value.code == RefusalCode.RIGHT
            assert str(refused.value) == (
                f"Kafka does not let user 'nobody' {without}: add that ACL; `segue acls worker` lists them all"
            )
        await secured.allow("nobody", rights)
        await check_rights(to, "worker", rights)
    finally:
        await secured.allow("nobody", [])


async def test_a_listener_that_speaks_tls_when_plain_text_is_spoken_is_told_and_the_other_way_round(
    secured: Secured,
) -> None:
    plain = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": secured.server.bootstrap_of("SCRAM")}
    encrypted = secured.by_password("worker") | {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": secured.plain}
    for environment, spoken in ((plain, "PLAINTEXT"), (encrypted, "SASL_SSL")):
        to = connection(environment)
        with pytest.raises(NotReachable) as away:
            async with connected(to):
                pass
        told = (
            f"Kafka at {to.bootstrap_servers} hangs up: does it speak {spoken} there? See SEGUE_KAFKA_SECURITY_PROTOCOL"
        )
        assert str(away.value) == told

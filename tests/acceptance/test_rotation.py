"""A running worker when certificates and passwords change under it: it says why, and goes on by itself."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from streams.embedded import ValkeyServer
from streams.embedded.server import free_port
from streams.settings import Deployment
from streams.wire.rights import Asked, rights_of
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.certificates import Authority
from tests.secured import Secured, password_of, running_secured
from tests.servers import unique

CATALOGUE = {name: text.replace("at_least: 2", "at_least: 1") for name, text in SMALL.items()}
pytestmark = pytest.mark.servers


def send_and_see(segue: Segue, number: int) -> None:
    """Send an event of a new profile, and see its change."""
    segue.done("send", "-", stdin=event(f"hcp:{number}", "portal.login", number))
    seen = segue.done("watch", "--membership", "--from-start", "--count", number, "--seconds", 60, "--json")
    assert [change["profile"] for change in seen.lines] == [f"hcp:{each + 1}" for each in range(number)]


async def allow_worker(secured: Secured, segue: Segue) -> None:
    """Give the worker of a deployment its rights."""
    given = {name.removeprefix("SEGUE_").lower(): value for name, value in segue.environment.items()}
    names = {name: given[name] for name in Deployment.model_fields if name in given}
    await secured.allow("worker", rights_of("worker", Asked(Deployment.model_validate(names), given["group"])))


def reasons(port: int) -> list[dict[str, Any]] | None:
    """Return what /ready says against the worker; None: it does not answer."""
    with suppress(URLError, ConnectionError):
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
                body = json.load(answer)
        except HTTPError as not_ready:
            body = json.load(not_ready)
        found: list[dict[str, Any]] = body["reasons"]
        return found
    return None


def says(port: int, text: str) -> bool:
    """Tell whether a reason about Kafka has this text."""
    found = reasons(port) or []
    return any(each.get("dependency") == "kafka" and text in each["sentence"] for each in found)


def test_a_worker_goes_on_after_the_authority_and_the_password_changed(valkey: ValkeyServer, tmp_path: Path) -> None:
    with running_secured(("worker",)) as secured:
        name, port = unique("rotation"), free_port()
        plain = deployment(name, secured.plain, valkey.redis_url, 1)
        plain.done("topics")
        plain.done("apply", write_catalogue(tmp_path / "catalogue", CATALOGUE))
        authorities, password = tmp_path / "ca.pem", tmp_path / "password"
        authorities.write_bytes(secured.authority.file.read_bytes())
        password.write_text(password_of("worker"))
        own = secured.by_password("worker", "PLAIN") | {
            "SEGUE_KAFKA_SSL_CAFILE": str(authorities),
            "SEGUE_KAFKA_SASL_PASSWORD_FILE": str(password),
            "SEGUE_WEB_PORT": str(port),
        }
        del own["SEGUE_KAFKA_SASL_PASSWORD"]
        asyncio.run(allow_worker(secured, plain))
        with Segue(plain.environment | own).started("worker") as worker:
            send_and_see(plain, 1)
            wait_for(lambda: reasons(port) == [])
            # the broker comes back with a certificate of another authority and another password
            other = Authority(tmp_path, "other-authority")
            keystore = other.write(secured.folder / "broker-2.pem", "broker", "localhost")
            secured.server.secure(replace(secured.security, keystore=keystore, users={"worker": "CANARY new"}))
            secured.server.restart()
            wait_for(lambda: says(port, "is not known here: name its file in SEGUE_KAFKA_SSL_CAFILE"))
            authorities.write_bytes(other.file.read_bytes())
            wait_for(lambda: says(port, "user 'worker' or the password is wrong"))
            password.write_text("CANARY new\n")
            wait_for(lambda: reasons(port) == [])
            send_and_see(plain, 2)
            ended = stop(worker)
        assert ended.status == 0, ended.err
        assert "CANARY" not in ended.err

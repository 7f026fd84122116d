"""A deployment on a Redis that lets in one user with exactly the documented rights.

Every command that uses Redis passes; what keeps it out is one sentence and exit status 3.
"""

import json
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.embedded import KafkaServer, ValkeyServer
from streams.store.rights import acl_rules
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.certificates import Authority
from tests.secured_redis import PASSWORD, USER, acl_server, needs_redis, tls_server
from tests.servers import temporary_folder, unique

pytestmark = pytest.mark.servers


@dataclass
class Guarded:
    """A deployment as its user sees it, and the server as its administrator does."""

    segue: Segue
    admin: redis.Redis
    password: Path
    folder: Path

    def say(self, *command: str) -> Any:
        """Send a command as the administrator."""
        return self.admin.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", params=["valkey", pytest.param("redis", marks=needs_redis)])
def guarded(request: pytest.FixtureRequest, kafka: KafkaServer) -> Iterator[Guarded]:
    """A Valkey with users; a Redis with users, TLS and certificates of clients."""
    with temporary_folder() as folder:
        given: dict[str, str] = {}
        tls: dict[str, Any] = {}
        if request.param == "valkey":
            making: Any = acl_server(ValkeyServer)
        else:
            authority = Authority(folder)
            shown = authority.write(folder / "server.pem", "server", "127.0.0.1")
            ours = authority.write(folder / "client.pem", "client")
            making = tls_server(authority, shown, mutual=True)
            given = {"SEGUE_REDIS_SSL_CAFILE": str(authority.file), "SEGUE_REDIS_SSL_CERTFILE": str(ours)}
            tls = {
                "ssl": True,
                "ssl_ca_certs": str(authority.file),
                "ssl_certfile": str(ours),
                "ssl_keyfile": str(ours),
            }
        with making as server, redis.Redis(port=server.port, host="127.0.0.1", protocol=2, **tls) as admin:
            segue = deployment(unique("guarded"), kafka.bootstrap, server.redis_url, 1)
            password = folder / "password"
            password.write_text(PASSWORD + "\n")
            given |= {"SEGUE_REDIS_USERNAME": USER, "SEGUE_REDIS_PASSWORD_FILE": str(password)}
            segue.environment.update(given)
            made = Guarded(segue, admin, password, folder)
            rules = acl_rules(segue.environment["SEGUE_REDIS_PREFIX"]).split()
            made.say("ACL", "SETUSER", USER, "on", f">{PASSWORD}", *rules)
            segue.done("topics")
            segue.done("apply", write_catalogue(folder / "catalogue", SMALL))
            yield made


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def ready(port: int) -> dict[str, Any]:
    """Return what /ready says; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as page:
            return dict(json.load(page))
    except urllib.error.HTTPError as refused:
        return dict(json.load(refused))
    except OSError:
        return {}


def test_every_command_does_its_work_with_exactly_the_documented_rights(guarded: Guarded) -> None:
    segue, port = guarded.segue, free_port()
    with segue.started("worker", SEGUE_WEB_PORT=port, SEGUE_METRICS_PORT=free_port()) as worker:
        segue.done("send", "-", stdin="".join(event("hcp:1", "portal.login", n) for n in (1, 2)))
        wait_for(lambda: guarded.admin.keys("*:m:visitors") or worker.poll() is not None)
        commands = [
            ["members", "visitors", "--json"],
            ["sizes", "--json"],
            ["explain", "hcp:1"],
            ["lag"],
            ["preview", guarded.folder / "catalogue"],
            ["fill"],
            ["verify"],
            ["topics"],
        ]
        if "SEGUE_REDIS_SSL_CAFILE" in segue.environment:
            # the rights are the same: that a command comes through TLS is left to see
            del commands[3:]
        with ThreadPoolExecutor(2) as pool:
            ended = list(pool.map(lambda command: segue(*command), commands))
        for command, one in zip(commands, ended, strict=True):
            assert one.status == 0, (command, one.err)
        assert [each["profile"] for each in ended[0].lines] == ["hcp:1"]
        if "SEGUE_REDIS_SSL_CAFILE" not in segue.environment:
            _password_changes(guarded, port)
        stopped = stop(worker)
    assert stopped.status == 0, stopped.err
    rebuilt = segue.done("rebuild", "--force")
    assert segue.done("members", "visitors", "--json").lines, rebuilt.out
    assert [each for each in guarded.say("ACL", "LOG") if "auth" not in str(each)] == []
    for text in (stopped.err, *(one.err for one in ended)):
        assert PASSWORD not in text


def _password_changes(guarded: Guarded, port: int) -> None:
    """Change the password under a worker that runs: /ready says so until the file has the new one."""
    wait_for(lambda: ready(port).get("ready"))
    guarded.say("ACL", "SETUSER", USER, "resetpass", ">the-next-one")
    guarded.say("CLIENT", "KILL", "USER", USER)
    said = wait_for(
        lambda: [one["sentence"] for one in ready(port).get("reasons", ()) if "refuses the password" in str(one)]
    )
    assert str(guarded.password) in said[0]
    guarded.password.write_text("the-next-one\n")
    wait_for(lambda: ready(port).get("ready"))


def test_what_keeps_segue_out_is_one_sentence_and_status_3(guarded: Guarded) -> None:
    segue = guarded.segue
    wrong = guarded.folder / "wrong"
    wrong.write_text("hidden")
    url = segue.environment["SEGUE_REDIS_URL"]
    scheme = "redis" if url.startswith("rediss") else "rediss"
    other = {"SEGUE_REDIS_URL": f"{scheme}{url[url.index(':') :]}"}
    if scheme == "redis":
        other |= {"SEGUE_REDIS_SSL_CAFILE": "", "SEGUE_REDIS_SSL_CERTFILE": ""}
    cases: list[tuple[str, dict[str, str], str]] = [
        ("sizes", {"SEGUE_REDIS_PASSWORD_FILE": str(wrong)}, f"refuses the password of user '{USER}'"),
        ("topics", {"SEGUE_REDIS_PASSWORD_FILE": "/nowhere"}, "SEGUE_REDIS_PASSWORD_FILE: /nowhere: No such file"),
        ("worker", {"SEGUE_REDIS_PASSWORD_FILE": str(wrong)}, f"refuses the password of user '{USER}'"),
        ("sizes", other, "speaks TLS only" if scheme == "redis" else "does not speak TLS"),
        ("topics", {"SEGUE_REDIS_PREFIX": "another"}, "may not use the keys that begin with SEGUE_REDIS_PREFIX"),
    ]
    with ThreadPoolExecutor(2) as pool:
        for (_, _, said), ended in zip(cases, pool.map(lambda case: segue(case[0], **case[1]), cases), strict=True):
            assert (ended.status, ended.out) == (3, ""), ended
            [line] = [each for each in ended.err.splitlines() if said in each]
            assert "hidden" not in line
            assert "Traceback" not in ended.err

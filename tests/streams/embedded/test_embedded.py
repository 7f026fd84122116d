"""The embedded servers: they keep what they promised over kills, and never outlive the command that started them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis import Redis

from streams.embedded import EmbeddedError, KafkaServer, RedisServer, ValkeyServer, jars, server
from tests.servers import running_kafka, running_valkey, temporary_folder, unique


def _eventually(holds: Callable[[], bool], within_s: float = 15) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # killed, but in a container nobody may be there to reap what lost its parent
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as path:
        yield path


# the command of another process: starts a server, says its process number, and waits
_STARTER = """
import sys, time
from pathlib import Path
from streams.embedded import KafkaServer, ValkeyServer
folder = Path(sys.argv[2])
server = {"kafka": KafkaServer, "valkey": ValkeyServer}[sys.argv[1]](remove=folder if sys.argv[3] else None)
server.start(folder / "server")
print(server.pid, flush=True)
time.sleep(600)
"""


def _starter(kind: str, folder: Path, *, remove: bool) -> tuple["subprocess.Popen[bytes]", int]:
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, kind, str(folder), "remove" if remove else ""], stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    with starter.stdout:
        return starter, int(starter.stdout.readline())


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["valkey", "kafka"])
def test_a_server_and_its_folder_go_when_the_starter_is_killed(kind: str, folder: Path) -> None:
    mine = folder / "temporary"
    mine.mkdir()
    starter, pid = _starter(kind, mine, remove=True)
    assert not _gone(pid)
    starter.kill()
    starter.wait()
    assert _eventually(lambda: _gone(pid) and not mine.exists())


@pytest.mark.servers
def test_a_folder_that_is_not_temporary_stays_when_the_starter_is_killed(folder: Path) -> None:
    starter, pid = _starter("valkey", folder, remove=False)
    starter.kill()
    starter.wait()
    assert _eventually(lambda: _gone(pid))
    assert (folder / "server" / "server.log").exists()


@pytest.mark.servers
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux sees to it")
def test_a_server_goes_when_its_guard_is_killed(folder: Path) -> None:
    valkey = ValkeyServer()
    valkey.start(folder)
    pid = valkey.pid
    guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guard, signal.SIGKILL)
    assert _eventually(lambda: _gone(pid) and not valkey.running())
    valkey.stop()


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_servers_command_prints_its_environment_and_ends_in_order(number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "streams.embedded"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as command:
        assert command.stdout is not None
        exports = dict(command.stdout.readline().removeprefix("export ").strip().split("=", 1) for _ in range(2))
        url = exports["SEGUE_REDIS_URL"]
        with Redis.from_url(url) as redis:
            assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            home = Path(redis.config_get("dir")["dir"])
        host, _, port = exports["SEGUE_KAFKA_BOOTSTRAP_SERVERS"].partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        command.send_signal(number)
        assert command.wait(30) == 0
    assert not home.parent.exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=5)


@pytest.mark.servers
def test_the_servers_command_refuses_what_it_does_not_know() -> None:
    done = subprocess.run([sys.executable, "-m", "streams.embedded", "up"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


async def _topics(kafka: KafkaServer, create: str | None = None) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        if create is not None:
            await admin.create_topics([NewTopic(create, 2, 1)])
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.servers
async def test_kafka_keeps_its_records_and_port_over_kill_and_restart() -> None:
    with running_kafka() as kafka:
        topic, bootstrap = unique("kept"), kafka.bootstrap
        await _topics(kafka, create=topic)
        kafka.kill()
        assert not kafka.running()
        kafka.restart()
        assert kafka.bootstrap == bootstrap
        assert topic in await _topics(kafka)
        kafka.stop()
        kafka.restart()
        assert topic in await _topics(kafka)


@pytest.mark.servers
def test_kafka_says_what_is_wrong_when_it_does_not_start(folder: Path) -> None:
    kafka = KafkaServer(settings={"num.io.threads": "none"})
    with pytest.raises(EmbeddedError, match=r"num\.io\.threads"):
        kafka.start(folder)
    assert not kafka.running()


@pytest.mark.servers
def test_valkey_answers_nothing_while_paused() -> None:
    with running_valkey() as valkey, Redis.from_url(valkey.redis_url, socket_timeout=0.3, retry=None) as redis:
        redis.ping()
        valkey.pause()
        with pytest.raises(Exception, match=r"[Tt]imeout"):
            redis.ping()
        valkey.resume()
        assert _eventually(lambda: bool(redis.ping()))


@pytest.mark.servers
@pytest.mark.parametrize("keeps", [True, False])
def test_valkey_keeps_its_data_over_a_kill_only_with_appendonly(keeps: bool) -> None:
    with running_valkey(appendonly=keeps) as valkey, Redis.from_url(valkey.redis_url, retry=None) as redis:
        redis.set("name", "value")
        assert _eventually(lambda: not keeps or _written(valkey, b"value"))
        valkey.kill()
        valkey.restart()
        redis.connection_pool.disconnect()
        assert redis.get("name") == (b"value" if keeps else None)


def _written(valkey: ValkeyServer, value: bytes) -> bool:
    return any(value in file.read_bytes() for file in valkey.folder.glob("appendonlydir/*.aof"))


@pytest.mark.servers
def test_a_port_that_is_taken_is_an_error_that_says_so(valkey: ValkeyServer, folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="in use"):
        ValkeyServer().start(folder, port=valkey.port)


@pytest.mark.servers
def test_servers_listen_on_loopback_alone(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    assert kafka.bootstrap.startswith("127.0.0.1:")
    with Redis.from_url(valkey.redis_url) as redis:
        assert redis.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_disk_too_full_is_an_error_before_anything_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FREE_BYTES_MIN", 1 << 62)
    valkey = ValkeyServer()
    with pytest.raises(EmbeddedError, match="MB of disk"):
        valkey.start(folder)
    assert not valkey.running()


def test_redis_that_is_not_installed_is_an_error_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EmbeddedError, match="apt-get install redis-server"):
        RedisServer.binary()


def test_a_damaged_jar_is_downloaded_again_and_compared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = jars.classpath(lambda _: None)
    smallest = min(present, key=lambda path: path.stat().st_size)
    (folder / "jars").mkdir()
    for path in present:
        (folder / "jars" / path.name).symlink_to(path)
    damaged = folder / "jars" / smallest.name
    damaged.unlink()
    damaged.write_bytes(b"not a jar")
    monkeypatch.setenv("SEGUE_CACHE_DIR", str(folder))
    steps: list[str] = []
    assert damaged in jars.classpath(steps.append)
    assert damaged.read_bytes() == smallest.read_bytes()
    assert steps[0].endswith("1 jars to download")


def test_no_network_is_an_error_that_says_so_and_names_no_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE_DIR", str(folder))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EmbeddedError, match="is there a network") as caught:
        jars.classpath(lambda _: None)
    assert "http" not in str(caught.value).lower()
    assert not list((folder / "jars").iterdir())


def test_a_cache_that_cannot_be_written_is_an_error_that_names_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = folder / "file"
    in_the_way.touch()
    monkeypatch.setenv("SEGUE_CACHE_DIR", str(in_the_way / "cache"))
    with pytest.raises(EmbeddedError, match="SEGUE_CACHE_DIR"):
        jars.classpath(lambda _: None)

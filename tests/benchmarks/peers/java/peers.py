"""The peers that are written in Java: what each is, and what it keeps through a crash.

Each design comes twice, exactly once and (`-alo`) at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.load.plan import Plan
from tests.benchmarks.peers.engine import CommandEngine, Ground
from tests.benchmarks.peers.java.jars import FAMILIES, FLINK, STREAMS, Family, classes

EXACTLY: Final = "exactly-once"
AT_LEAST: Final = "at-least-once"


@dataclass
class JavaPeer(CommandEngine):
    """A peer that is a Java program."""

    family: str = ""
    """A name of `jars.FAMILIES`."""

    def prepare(self, ground: Ground, plan: Plan) -> None:
        classes(FAMILIES[self.family])
        super().prepare(ground, plan)


def _pair(family: Family, how: str, *, commit_s: float, design: str, exactly: str, at_least: str) -> list[JavaPeer]:
    """Make a design's two peers. Changes that are published at least once can be read before a commit."""
    command = ("python", "-m", "tests.benchmarks.peers.java.launch", family.name, how)
    return [
        JavaPeer(
            f"{family.name}-{how}{suffix}",
            command,
            design,
            durability,
            environment={"BENCH_GUARANTEE": guarantee},
            commit_s=commit_s if guarantee == EXACTLY else 0,
            family=family.name,
        )
        for suffix, guarantee, durability in (("", EXACTLY, exactly), ("-alo", AT_LEAST, at_least))
    ]


JAVA_PEERS: Final[Sequence[JavaPeer]] = (
    *_pair(
        STREAMS,
        "best",
        commit_s=0.1,
        design="Kafka Streams: one processor, an index; packed profiles in RocksDB with a cache and a changelog topic",
        exactly="exactly once: changes, changelog and offsets in one Kafka transaction every 100 ms",
        at_least="at least once, committed every second",
    ),
    *_pair(
        STREAMS,
        "idiomatic",
        commit_s=0.1,
        design="Kafka Streams: a filter and a processor a segment; RocksDB with a changelog topic; default settings",
        exactly="exactly once: as the best design",
        at_least="at least once, committed every 30 s",
    ),
    *_pair(
        FLINK,
        "best",
        commit_s=1,
        design="Flink: one keyed operator, an index, a timer a profile; packed profiles in RocksDB",
        exactly="exactly once: changes are committed with a checkpoint every second, to local disk",
        at_least="at least once: a checkpoint every second, to local disk",
    ),
    *_pair(
        FLINK,
        "idiomatic",
        commit_s=10,
        design="Flink: an event fans out to the segments that want it, keyed by segment and subject; RocksDB",
        exactly="exactly once: changes are committed with a checkpoint every 10 s, to local disk",
        at_least="at least once: a checkpoint every 10 s, to local disk",
    ),
)

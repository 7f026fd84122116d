"""The peers that are written in Python: what each is, what it keeps through a crash, and what it cannot say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.load.plan import Plan
from tests.benchmarks.peers.engine import ROOT, CommandEngine, Ground
from tests.benchmarks.peers.topics import make_topics

PYTHON: Final = ROOT / ".cache" / "peers" / "bin" / "python"
"""The environment of requirements.txt beside this file: `make peers`."""


@dataclass
class PythonPeer(CommandEngine):
    """A peer in the peers' environment."""

    framework: str = ""
    """The packages and their versions."""
    further: Sequence[str] = ()
    """More topics like its input, by the ends of their names."""

    def prepare(self, ground: Ground, plan: Plan) -> None:
        """Make its topics."""
        super().prepare(ground, plan)
        if self.further:
            make_topics(ground, [(f"{ground.name}.{each}", True) for each in self.further])

    def absent(self) -> str | None:
        """Say why it cannot run: nobody has made the environment."""
        return None if self.command[0] == "python" or PYTHON.exists() else "its packages are not installed: make peers"


def _peer(
    name: str,
    module: str,
    framework: str,
    *,
    design: str,
    durability: str,
    has_timers: bool = True,
    commit_s: float = 0,
) -> PythonPeer:
    """Make a peer; its name ends with its design's."""
    how = name.rpartition("-")[2]
    # the packages of `handwritten` are Segue's own too
    python = "python" if module == "handwritten" else str(PYTHON)
    command = (python, "-W", "ignore", "-m", f"tests.benchmarks.peers.python.{module}", how)
    # Faust's wakes go through a topic (`faust_peer`)
    further = ("wakes",) if module == "faust_peer" else ()
    return PythonPeer(
        name,
        command,
        design,
        durability,
        has_timers=has_timers,
        commit_s=commit_s,
        framework=framework,
        further=further,
    )


_LUA: Final = "aiokafka 0.14, redis-py 8"
_FAUST: Final = "faust-streaming 0.15.3"
_QUIX: Final = "quixstreams 3.28.1"
_BYTEWAX: Final = "bytewax 0.21.1"

PYTHON_PEERS: Final[Sequence[PythonPeer]] = (
    _peer(
        "lua-idiomatic",
        "handwritten",
        _LUA,
        design="a Lua script a rule, called for each event that the rule wants; a batch's calls in one pipeline",
        durability="events at least once; a change that a script made and Kafka did not get before a crash is lost",
    ),
    _peer(
        "lua-best",
        "handwritten",
        _LUA,
        design="one call an event of a Redis function that holds all segments and an index; one key a profile",
        durability="at least once: unpublished changes wait in a list in Redis",
    ),
    _peer(
        "faust-idiomatic",
        "faust_peer",
        _FAUST,
        design="an agent, one event at a time; a table of JSON in memory with a changelog topic; every segment asked",
        durability="at least once; after a crash the table is read from the changelog",
    ),
    _peer(
        "faust-best",
        "faust_peer",
        f"{_FAUST}, rocksdict 0.3",
        design="the same agent; packed profiles in RocksDB with a changelog topic; an index; uvloop",
        durability="at least once",
    ),
    _peer(
        "quix-idiomatic",
        "quix_peer",
        _QUIX,
        design="a StreamingDataFrame; JSON in RocksDB with a changelog topic; every segment asked",
        durability="at least once, committed every 5 s",
        has_timers=False,
    ),
    _peer(
        "quix-best",
        "quix_peer",
        _QUIX,
        design="a StreamingDataFrame; packed profiles in RocksDB with a changelog topic; an index",
        durability="exactly once: changes, changelog and offsets in one Kafka transaction every half a second",
        has_timers=False,
        commit_s=0.5,
    ),
    _peer(
        "bytewax-idiomatic",
        "bytewax_peer",
        _BYTEWAX,
        design="a keyed operator; every segment asked; all profiles in memory, snapshots in SQLite every 10 s",
        durability="state exactly once; changes since the last snapshot are published again",
    ),
    _peer(
        "bytewax-best",
        "bytewax_peer",
        _BYTEWAX,
        design="a keyed operator, by batches; an index; all profiles in memory, snapshots in SQLite every second",
        durability="state exactly once; changes since the last snapshot are published again",
    ),
)

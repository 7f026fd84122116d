"""Every engine that the benchmark knows, by name."""

from typing import Final

from tests.benchmarks.peers.engine import CommandEngine, Engine
from tests.benchmarks.peers.java.peers import JAVA_PEERS
from tests.benchmarks.peers.python.peers import PYTHON_PEERS
from tests.benchmarks.peers.segue import Segue

NULL: Final = CommandEngine(
    name="null",
    command=("python", "-m", "tests.benchmarks.peers.null"),
    design="no rules: reads, decodes, MGET, publishes 1.5 % of the events, MULTI; its stages overlap",
    durability="none lost; a crash repeats what was not yet in the store",
    has_rules=False,
)
TWO_WORKERS: Final = Segue(name="segue-two", design="the same, as two workers", workers=2)
ENGINES: Final[dict[str, Engine]] = {
    engine.name: engine for engine in (Segue(), TWO_WORKERS, NULL, *PYTHON_PEERS, *JAVA_PEERS)
}

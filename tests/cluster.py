"""A Valkey cluster on loopback: primaries with equal runs of slots, each with its replicas; made and broken by hand.

`valkey-cli` is not in the wheel, so the nodes are joined by raw commands, in the order in which `valkey-cli --cluster
create` sends them: slots, epochs, MEET, REPLICATE.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis

from streams.embedded import ValkeyServer
from streams.embedded.server import LOOPBACK, free_port
from streams.store.keys import SLOTS
from tests.servers import temporary_folder

NODE_TIMEOUT_MS: Final = 2_000
"""After so long without an answer the other nodes take a node for dead. Valkey's default is 15,000."""


class ClusterNode(ValkeyServer):
    """One node, and a connection for commands about the cluster."""

    def __init__(self, options: Sequence[str], remove: Any, *, appendonly: bool) -> None:
        # the default is the server's port plus ten thousand, which may be no port
        self.bus: Final = free_port()
        cluster = ("--cluster-enabled", "yes", "--cluster-port", str(self.bus))
        covered = ("--cluster-require-full-coverage", "no", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        super().__init__(appendonly=appendonly, options=[*cluster, *covered, *options], remove=remove)

    def say(self, *command: str | bytes | int) -> Any:
        """Send one command unchanged, over a connection of its own; return the reply."""
        with redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=60, protocol=2) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        """The node's name in the cluster."""
        found: bytes = self.say("CLUSTER", "MYID")
        return found.decode()

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO."""
        text: bytes = self.say("INFO", section)
        return dict(line.partition(":")[::2] for line in text.decode().splitlines() if ":" in line)

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the server has used."""
        found = self.info("cpu")
        return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])

    @property
    def memory_bytes(self) -> int:
        """What its data and buffers take."""
        return int(self.info("memory")["used_memory"])

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes."""
        return self.info("replication")["role"] == "master"


class Cluster:
    """Running nodes: the primaries in the order of their slots, then their replicas."""

    def __init__(self, nodes: Sequence[ClusterNode], primaries: int) -> None:
        self.nodes: Final = list(nodes)
        self.primaries: Final = list(nodes[:primaries])
        self.replicas: Final = list(nodes[primaries:])

    @property
    def url(self) -> str:
        """The addresses of the primaries as SEGUE_REDIS_URL takes them."""
        return "redis://" + ",".join(f"{LOOPBACK}:{node.port}" for node in self.primaries) + "/0"

    def join(self) -> None:
        """Make a cluster of the nodes; return when each of them knows every slot's node."""
        count = len(self.primaries)
        for number, node in enumerate(self.nodes):
            node.say("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, node in enumerate(self.primaries):
            node.say("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // count, (number + 1) * SLOTS // count - 1)
        for node in self.nodes[1:]:
            self.nodes[0].say("CLUSTER", "MEET", LOOPBACK, node.port, node.bus)
        until(lambda: all(self.knows(node) for node in self.nodes))
        for number, node in enumerate(self.replicas):
            node.say("CLUSTER", "REPLICATE", self.primaries[number % count].id)
        until(lambda: all(node.info("replication").get("master_link_status") == "up" for node in self.replicas))
        until(lambda: all(self.knows(node) for node in self.nodes))

    def knows(self, node: ClusterNode) -> bool:
        """Tell whether a node knows all others, and an owner of every slot."""
        text: bytes = node.say("CLUSTER", "INFO")
        fields = dict(line.partition(":")[::2] for line in text.decode().splitlines())
        known = int(fields["cluster_known_nodes"]) == len(self.nodes)
        return known and fields["cluster_state"] == "ok" and int(fields["cluster_slots_assigned"]) == SLOTS

    def owner(self, slot: int) -> ClusterNode:
        """Return the running node that has a slot."""
        for node in self.nodes:
            if node.running() and node.is_primary and self.named_by(node, slot) == node.id:
                return node
        raise LookupError(f"slot {slot} has no owner")

    def begin_move(self, first: int, last: int, to: ClusterNode) -> None:
        """Begin to move a run of slots of one node as one (Valkey 9: the slots stay where they are until the end)."""
        self.owner(first).say("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", to.id)

    def move(self, first: int, last: int, to: ClusterNode) -> None:
        """Move a run of slots of one node; return when every node knows their new owner."""
        if self.owner(first) is not to:
            self.begin_move(first, last, to)
            until(lambda: all(self.named_by(node, first) == to.id for node in self.nodes))

    def named_by(self, node: ClusterNode, slot: int) -> str:
        """Return the id of a slot's owner as a node knows it; "": it knows none."""
        found = (run for run in node.say("CLUSTER", "SLOTS") if run[0] <= slot <= run[1])
        return next((name.decode() for _, _, (_, _, name, *_), *_ in found), "")


def until(done: Callable[[], bool], limit_s: float = 30) -> None:
    """Block until `done()`."""
    end_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end_s, "the cluster took too long"
        time.sleep(0.05)


@contextmanager
def running_cluster(
    primaries: int = 3, *, replicas: int = 0, spare: int = 0, appendonly: bool = False, options: Sequence[str] = ()
) -> Iterator[Cluster]:
    """Start a cluster, killed and removed at the end. `replicas`: of each primary; `spare`: primaries without slots."""
    with temporary_folder() as folder:
        count = primaries * (1 + replicas) + spare
        nodes = [ClusterNode(options, folder, appendonly=appendonly) for _ in range(count)]
        try:
            for number, node in enumerate(nodes):
                node.start(folder / str(number))
            cluster = Cluster(nodes[: count - spare], primaries)
            cluster.join()
            for node in nodes[count - spare :]:
                cluster.nodes[0].say("CLUSTER", "MEET", LOOPBACK, node.port, node.bus)
                cluster.nodes.append(node)
            until(lambda: all(cluster.knows(node) for node in cluster.nodes))
            yield cluster
        finally:
            for node in nodes:
                node.kill()

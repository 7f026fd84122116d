"""How evenly the partitions spread over the nodes of a Redis Cluster: their tags, their slots, the nodes' runs.

    python -m tests.benchmarks.scaling.slots [--partitions 8 32 64 120 240 960 1024] [--shards 3 6 12 60]

A row for each number of partitions: the share of the fullest node, as a multiple of the mean, for each number of nodes;
in brackets what plain tags (`{7}`) would give. Nodes have equal runs of slots, as `valkey-cli --cluster create` makes.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from streams.store.keys import SLOTS, hash_tag, slot

PARTITIONS: Final = (8, 32, 64, 120, 240, 960, 1_024)
SHARDS: Final = (3, 6, 12, 60)


def spread(partitions: int, shards: int, tag: Callable[[int, int], str] = hash_tag) -> list[int]:
    """Return how many partitions each node has."""
    ends = [round((node + 1) * SLOTS / shards) for node in range(shards)]
    held = Counter(
        next(node for node, end in enumerate(ends) if slot(tag(partition, partitions)) < end)
        for partition in range(partitions)
    )
    return [held[node] for node in range(shards)]


def fullest(held: Sequence[int]) -> float:
    """Return the share of the fullest node as a multiple of the mean."""
    return max(held) * len(held) / sum(held)


def plain(partition: int, _: int) -> str:
    """Return the tag that is not chosen."""
    return str(partition)


def table(partitions: Sequence[int], shards: Sequence[int]) -> str:
    """Return the table, as Markdown."""
    rows = [["partitions", *(f"{count} nodes" for count in shards)], ["---"] * (1 + len(shards))]
    for count in partitions:
        cells = [
            f"{fullest(spread(count, nodes)):.2f} ({fullest(spread(count, nodes, plain)):.2f})"
            if count >= nodes
            else "–"
            for nodes in shards
        ]
        rows.append([f"{count:,}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", type=int, nargs="+", default=PARTITIONS)
    parser.add_argument("--shards", type=int, nargs="+", default=SHARDS)
    options = parser.parse_args()
    print(table(options.partitions, options.shards))


if __name__ == "__main__":
    main()

"""E0: every effect that the log makes stands in its target's partition, once, in order; and nothing else does."""

from collections import defaultdict
from collections.abc import Sequence

from aiokafka.partitioner import murmur2

from tests.faults.model import Partition
from tests.faults.promises import Violated


def partition_of(subject: str, partitions: int) -> int:
    """Return the partition of a subject, as Kafka's own clients choose it."""
    return int((murmur2(subject.encode()) & 0x7FFFFFFF) % partitions)


def sent_to(models: Sequence[Partition]) -> dict[tuple[int, int], list[str]]:
    """Return the ids of the effects that each partition must have sent to each, in order."""
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for source, model in enumerate(models):
        for id_ in model.sent():
            found[source, partition_of(model.post.sent[id_].subject, len(models))].append(id_)
    return found


def missing_effects(models: Sequence[Partition]) -> str:
    """Tell what has not arrived yet; "": nothing."""
    there = {id_ for model in models for _, id_ in model.effects}
    missing = [id_ for model in models for id_ in model.sent() if id_ not in there]
    return f"{len(missing)} effects are not in the input yet, as {missing[0]}" if missing else ""


def check_effects(models: Sequence[Partition]) -> None:
    """E0. Raises Violated."""
    by_source = {id_: source for source, model in enumerate(models) for id_ in model.sent()}
    wanted = sent_to(models)
    for target, model in enumerate(models):
        for source in range(len(models)):
            found = [id_ for _, id_ in model.effects if by_source[id_] == source]
            expected = wanted.get((source, target), [])
            if len(set(found)) != len(found):
                raise Violated(f"E0 partition {target}: an effect of partition {source} stands there twice")
            if set(found) != set(expected):
                wrong = min(set(found) ^ set(expected))
                raise Violated(
                    f"E0 partition {target}: {wrong} is {'missing' if wrong in expected else 'not expected'}"
                )
            if found != expected:
                raise Violated(f"E0 partition {target}: the effects of partition {source} are in another order")

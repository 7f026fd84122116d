"""E0: every effect that the log makes stands in its target's partition, once, in order; and no other effect does."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka.partitioner import murmur2

from tests.faults.model import Partition
from tests.faults.persons import FACTS, WITHDRAWN, Effect
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


def said_of(effect: Effect) -> dict[str, Any]:
    """Return what the record of an effect says in the clear; states of facts are the engine's own matter."""
    said: dict[str, Any] = {"way": [*effect.way], "event": effect.event}
    if effect.type == FACTS:
        said["link"] = None if effect.link is None else [*effect.link]
        said |= {"instead": effect.instead, "withdrawn": sorted(effect.withdrawn) or None}
    elif effect.type == WITHDRAWN:
        said["origins"] = None if effect.origins is None else sorted(effect.origins)
        said |= {"to": effect.to, "left": effect.left}
    elif effect.erasure is not None:
        said |= {"erasure": [*effect.erasure], "refused": effect.refused or None}
    elif effect.fact is not None:
        origin, (time_ms, source, id_), event = effect.fact
        said |= {"origin": origin, "fact": {"time": time_ms, "source": source, "id": id_, "type": event["type"]}}
    return {"type": effect.type, "subject": effect.subject, "data": said}


def _says(found: Any, wanted: Any) -> bool:
    """Tell whether a record says all that it must; it may say more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_says(found.get(name), each) for name, each in wanted.items())
    return bool(found == wanted)


def check_effects(models: Sequence[Partition]) -> None:
    """E0. Raises Violated."""
    post = models[0].post
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
            wrong_ones = [id_ for id_ in found if not _says(json.loads(post.values[id_]), said_of(post.sent[id_]))]
            if wrong_ones:
                raise Violated(f"E0 partition {target}: the effect {wrong_ones[0]} says something else")

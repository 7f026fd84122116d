"""`segue dump`: an input partition as a file for `segue replay`.

Events stand as structured CloudEvents with the timestamp of their record as `recordedtime`. So do the records that
bring history and end it, and the effects of other profiles. All else (ticks, catalogues, refused records) stands as a
line of a type `segue.*` that moves the clock and says nothing more, but for a catalogue's hash. Replaying the file with
the catalogues of its cuts gives the published changes byte for byte.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import POLICY
from rules.engine.decode import Own
from rules.engine.past import FILLED_TYPE, HISTORY_TYPE
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.record import CATALOGUE_TYPE, Decoded, Record
from rules.engine.refusal import Refusal
from rules.ground.event import Event
from rules.ground.instants import format_instant
from streams.operations.filling.selection import structured as text_of
from streams.operations.partitions import OnOffset, chosen
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, Shadow, records
from streams.operations.verify import check_whole
from streams.operations.without_key import plain_key, policy_without

SAYING: Final = EFFECT_TYPES | {CATALOGUE_TYPE, HISTORY_TYPE, FILLED_TYPE}
"""The types of Segue's own records that say something to a replay."""


@dataclass(slots=True)
class Dumped:
    """What was written. `cuts`: instant and hash of each catalogue, in order."""

    lines: int = 0
    events: int = 0
    cuts: list[tuple[int, str]] = field(default_factory=list)


async def dump(servers: Servers, partition: int, to: BinaryIO, on_offset: OnOffset) -> Dumped:
    """Write a partition's committed records up to its present end; return the counts and the cuts."""
    deployment = servers.deployment
    chosen([partition], deployment.partitions)
    await servers.expect_topics(deployment.events_topic)
    await check_whole(servers, partition)
    _, end = await servers.log.offsets(deployment.events_topic, partition)
    shadow = Shadow(partition, deployment.partitions, deployment.generation, servers.catalogue_of)
    inputs = TopicPartition(deployment.events_topic, partition)
    done = Dumped()
    async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        await consumer.seek_to_beginning(inputs)
        async for record in records(consumer, inputs, end, lambda offset: on_offset(partition, offset, end)):
            applied = await shadow.feed(record)
            to.write(line(record, applied.decoded) + b"\n")
            done.lines += 1
            done.events += isinstance(applied.decoded, Event)
            if applied.kind == "cut" and isinstance(applied.decoded, Own):
                done.cuts.append((shadow.engine.clock_ms, applied.decoded.data["catalogue"]))
    return done


def line(record: Record, decoded: Decoded) -> bytes:
    """Write the line of a record. What says anything stands as it came, to the last digit of its numbers.

    Read and written anew, `1e400` would become null, and what is nested deeper than 254 levels could not be written.
    """
    says = isinstance(decoded, Event) or (
        isinstance(decoded, Own) and decoded.type in SAYING and decoded.data is not None
    )
    if says:
        text = text_of(record.value, record.headers)
    elif isinstance(decoded, Refusal):
        text = orjson.dumps({"type": "segue.refused", "data": {"code": decoded.code}})
    else:
        text = orjson.dumps({"type": decoded.type})
    # of equal keys the last counts
    return b'%b,"recordedtime":"%b"}' % (text[:-1], format_instant(record.timestamp_ms or 0).encode())


def structured(record: Record) -> dict[str, Any]:
    """Return the event of a record as a structured CloudEvent. Raises ValueError: it is no JSON."""
    event: dict[str, Any] = orjson.loads(text_of(record.value, record.headers))
    return event


def write_catalogue(folder: Path, catalogue: Catalogue, *, key_is_public: bool = False) -> None:
    """Write a catalogue's files as YAML that loads to the same hash (JSON is YAML).

    A plain assignment key is left out: then the hash is another (`streams.operations.without_key`). `key_is_public`:
    everybody may know it, so it stays.
    """
    hidden = plain_key(catalogue.files) is not None and not key_is_public
    for name, written in catalogue.files.items():
        value = policy_without(written) if name == POLICY and hidden else written
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")

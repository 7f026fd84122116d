"""Partitions that are held because of bad input: which they are, and letting them go on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streams.intake.bad_input import BadInput, BadInputLimits
from streams.operations.partitions import chosen
from streams.operations.servers import Servers
from streams.wire.maker import RecordMaker
from streams.wire.progress import read_progress


@dataclass(frozen=True, slots=True)
class Refusals:
    """What the progress of a partition remembers of its newest refused records."""

    partition: int
    held: bool
    """Whether a worker with the settings at hand holds the partition."""
    said: str
    """How many were refused, of which reasons, from which sources, in a sentence."""
    reasons: Mapping[str, int]
    sources: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A partition that was told to go on."""

    refusals: Refusals
    offset: int
    """The offset of the `segue.resume` record: refused records before it are pardoned."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {**asdict(self.refusals), "offset": self.offset}


async def refusals(servers: Servers, partitions: Sequence[int] | None = None) -> list[Refusals]:
    """Read what each partition remembers of its refused records. Raises WrongRequest, TopicMissing; Unreachable."""
    deployment, settings = servers.deployment, servers.settings
    limits = BadInputLimits(settings.bad_input_share_max, settings.bad_input_window, settings.bad_input_calm_ms)
    asked = chosen(partitions, deployment.partitions)
    await servers.expect_topics(deployment.progress_topic)
    found = []
    for partition in asked:
        last = await servers.log.last(deployment.progress_topic, partition)
        memory = None if last is None else read_progress(last.value).refused
        guard = BadInput(limits, memory)
        found.append(Refusals(partition, guard.too_much, guard.said(), guard.reasons(), guard.sources()))
    return found


async def resume(servers: Servers, partitions: Sequence[int] | None, by: str, note: str) -> list[Resumed]:
    """Append a `segue.resume` record to the partitions named, or to all that are held; return them.

    The record is in the log: it holds though no worker is alive, and says who resumed and when. Raises as `refusals`.
    """
    found = await refusals(servers, partitions)
    wire = RecordMaker(servers.deployment)
    await servers.expect_topics(servers.deployment.events_topic)
    return [
        Resumed(each, await servers.log.append(wire.resume(each.partition, by, note)))
        for each in found
        if each.held or partitions
    ]

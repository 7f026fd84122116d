"""What was asked of each platform when somebody was erased, and what it answered: read from the topic of erasures.

Nobody is named: an erasure is found by the reference that it was asked with, or by the id of its event. A channel is
settled when each of its changes is accepted, and it has no subject that it was not told of. Who reads the channel
without `segue deliver` leaves no receipt here.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.operations.errors import OtherState
from streams.operations.servers import AT_ONCE, Servers
from streams.wire.erasures import DeletionReceipt, ErasureAsked, ErasureRecord, ErasureTold, read_erasures
from streams.wire.progress import MalformedRecord


@dataclass(frozen=True, slots=True)
class ChannelAnswers:
    """What is known of one erasure in one channel."""

    channel: str
    changes: int | None
    """How many changes tell it; None: the erasure was not sent by `segue erase`, or was not seen to its end."""
    accepted: int
    refused: int
    """By the last answer to each change."""
    silent: int
    """Subjects that the channel told of earlier, that no change tells it of, and that nobody asked it to delete."""
    asked_for: int
    """Subjects of these that `segue deliver --delete` asked for, and that the platform accepted: the most of one run. A
    receipt names nobody, so of two runs nobody can tell whether they asked for the same subjects."""
    receipts: tuple[DeletionReceipt, ...]

    @property
    def waiting(self) -> int:
        """How many changes have no answer."""
        return max(0, (self.changes or 0) - self.accepted - self.refused)

    @property
    def settled(self) -> bool:
        """Whether the platform took everything."""
        return not self.refused and not self.waiting and not self.silent


@dataclass(frozen=True, slots=True)
class ErasureAnswers:
    """One erasure, and what each channel's platform answered."""

    erasure: str
    """`source id` of its event."""
    asked: ErasureAsked | None
    """None: not by `segue erase`."""
    seen_through: bool
    """Whether it is recorded which channels it tells."""
    channels: tuple[ChannelAnswers, ...]

    @property
    def accepted(self) -> bool:
        """Whether every answer that is expected, or is there, is an acceptance."""
        return all(each.settled for each in self.channels)

    @property
    def settled(self) -> bool:
        """Whether it is known whom it tells, or a producer sent it, and all of them have accepted."""
        return (self.seen_through or self.asked is None) and self.accepted

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "erasure": self.erasure,
            "request": None if self.asked is None else self.asked.request,
            "asked": None if self.asked is None else self.asked.at,
            "subjects": None if self.asked is None else self.asked.subjects,
            "settled": self.settled,
            "channels": [
                {
                    "channel": each.channel,
                    "changes": each.changes,
                    "accepted": each.accepted,
                    "refused": each.refused,
                    "waiting": each.waiting,
                    "silent": each.silent,
                    "asked_for": each.asked_for,
                    "receipts": [_receipt_json(receipt) for receipt in each.receipts],
                }
                for each in self.channels
            ],
        }


def _receipt_json(receipt: DeletionReceipt) -> dict[str, Any]:
    names = ("platform", "host", "outcome", "code", "status", "request_id", "persons", "deleted", "at")
    return {name: getattr(receipt, name) for name in names}


async def receipts(servers: Servers, reference: str) -> list[ErasureAnswers]:
    """Find erasures by the reference that they were asked with, or by the id of their event; the oldest first.

    Raises TopicMissing, OtherState; Unreachable.
    """
    deployment = servers.deployment
    await servers.expect_topics(deployment.erasures_topic)
    few = asyncio.Semaphore(AT_ONCE)

    async def one(partition: int) -> list[ErasureRecord]:
        async with few:
            records = await servers.log.read_to_end(deployment.erasures_topic, partition)
        return read_erasures(record.value for record in records)

    try:
        parts = await asyncio.gather(*map(one, range(deployment.partitions)))
    except MalformedRecord:
        raise OtherState from None
    return answers_of([each for part in parts for each in part], reference)


def all_settled(found: Sequence[ErasureAnswers]) -> bool:
    """Tell whether everything is accepted. `found`: the erasures of one reference, the oldest first.

    An erasure that was not seen through is made up for by a later one that was.
    """
    last = found[-1]
    return last.settled and all(each.settled or (last.seen_through and each.accepted) for each in found)


def answers_of(said: Sequence[ErasureRecord], reference: str) -> list[ErasureAnswers]:
    """Put together what the records say of the erasures of a reference. Pure."""
    found = dict.fromkeys(each.erasure for each in said if _meant(each, reference))
    made = [_answers(erasure, [each for each in said if each.erasure == erasure]) for erasure in found]
    return sorted(made, key=lambda each: "" if each.asked is None else each.asked.at)


def _meant(each: ErasureRecord, reference: str) -> bool:
    if isinstance(each, ErasureAsked) and each.request == reference:
        return True
    return reference in (each.erasure, each.erasure.rpartition(" ")[2])


def _answers(erasure: str, said: Sequence[ErasureRecord]) -> ErasureAnswers:
    asked = next((each for each in said if isinstance(each, ErasureAsked)), None)
    told = next((each for each in said if isinstance(each, ErasureTold)), None)
    given = sorted((each for each in said if isinstance(each, DeletionReceipt)), key=lambda each: each.at)
    channels = tuple(_channels(told, given))
    return ErasureAnswers(erasure, asked, told is not None, channels)


def _channels(told: ErasureTold | None, given: Sequence[DeletionReceipt]) -> Iterator[ChannelAnswers]:
    changes: Mapping[str, int] = {} if told is None else told.channels
    silent: Mapping[str, int] = {} if told is None else told.silent
    for channel in sorted({*changes, *silent, *(each.channel for each in given)}):
        theirs = tuple(each for each in given if each.channel == channel)
        last = {(each.partition, offset): each.outcome for each in theirs for offset in each.offsets}
        outcomes = list(last.values())
        asked = Counter(each.asking for each in theirs if not each.offsets and each.outcome == "accepted")
        asked_for = max(asked.values(), default=0)
        yield ChannelAnswers(
            channel,
            None if told is None else changes.get(channel, 0),
            outcomes.count("accepted"),
            outcomes.count("refused"),
            max(0, silent.get(channel, 0) - asked_for),
            asked_for,
            theirs,
        )

"""Linked profiles for the naive evaluator: the records of several partitions, as one of them saw them.

The naive evaluator reads one file as one partition, and lets a link take effect at once. In Kafka its effects are
records of the target's partition, a little later. So the file of a subject that others stand for has, for each of them:

- what was told of it before its link, at the instants of its own partition: till then it lived there;
- the link, and everything else that had an effect, at the instant of that effect in the partition of the target;
- nothing more: what had no effect there meant nothing there.

A subject that stands for another is judged by its own records, in a file of its own kind.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from rules.language.dictionary import LINKED
from streams.demo.check import Ledger, Line

BEFORE: Final = -1
"""The place of another partition's record: of one instant, before those of this one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file for the naive evaluator, and whose changes in it are compared with the published ones of a partition."""

    ledger: Ledger
    subjects: tuple[str, ...]
    lines: tuple[bytes, ...]


def person_parts(ledgers: Sequence[Ledger]) -> list[Part]:
    """Return the files of all subjects that were linked: by partition those that others stand for, then the others."""
    told: defaultdict[str, list[Line]] = defaultdict(list)
    aliases: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for ledger in ledgers:
        for line in ledger.lines:
            told[line.subject].append(line)
            if (canonical := _canonical(line)) is not None:
                aliases[canonical][line.subject] = None
    standing = {alias for found in aliases.values() for alias in found}
    parts: list[Part] = []
    for ledger in ledgers:
        ends = _here(aliases.keys() - standing, ledger, len(ledgers))
        own = _here(standing, ledger, len(ledgers))
        seen = [line for end in ends for line in _seen(ledger, end, aliases[end], told)]
        parts += [_part(ledger, ends, seen)] if ends else []
        parts += [_part(ledger, own, [line for each in own for line in told[each]])] if own else []
    return parts


def _canonical(line: Line) -> str | None:
    """Return the subject that a line links its own to; None: it is no link."""
    if LINKED.encode() not in line.value:
        return None
    event = orjson.loads(line.value)
    return str(event["data"]["canonical"]) if event["type"] == LINKED else None


def _here(subjects: Iterable[str], ledger: Ledger, partitions: int) -> tuple[str, ...]:
    return tuple(sorted(each for each in subjects if partition_of(each.encode(), partitions) == ledger.partition))


def _part(ledger: Ledger, subjects: tuple[str, ...], lines: Iterable[Line]) -> Part:
    ordered = sorted(lines, key=lambda line: (line.at_ms, line.place))
    return Part(ledger, subjects, tuple(line.value for line in ordered))


def _seen(ledger: Ledger, end: str, aliases: Iterable[str], told: Mapping[str, Sequence[Line]]) -> Iterator[Line]:
    """Yield the records of a person as the partition of its end saw them."""
    yield from told[end]
    for alias in aliases:
        linked = False
        for line in told[alias]:
            event = orjson.loads(line.value)
            linked = linked or event["type"] == LINKED
            arrived = ledger.effects.get((end, f"{event['source']} {event['id']}"))
            if arrived is not None:
                value = orjson.dumps({**event, "recordedtime": format_instant(arrived.at_ms)})
                yield Line(alias, value, arrived.at_ms, arrived.place)
            elif not linked:
                yield line._replace(place=BEFORE)

"""Persons over several partitions whose catalogue changes: a cut stands in every partition, and its history comes.

Links and unlinks go on before the cut, between the cut and its histories, between these and the ends of the fill, and
after it. The filler keeps its order: it says that a partition is filled when every history, and everything that follows
from one, is applied (`streams.operations.filling`).
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

from rules.engine.event_time import record_time
from rules.engine.partition import Partition
from rules.ground.instants import format_instant
from tests.properties.delivering import Delivered
from tests.properties.fillings import own
from tests.properties.scattered import EVERY_RECORD, PARTITIONS, STEPS_MAX
from tests.transcripts.implementations import compiled
from tests.transcripts.transcript import Files

HISTORY = b"segue.history"
"""Stands in each history, and in each effect of one: it names what it comes of."""


class Cutting(Delivered):
    """A partition that makes a cut where its log says so."""

    def __init__(self, catalogues: Sequence[Files], *, restarting: bool) -> None:
        super().__init__(catalogues[0], [], EVERY_RECORD if restarting else set())
        self._later = [compiled(files) for files in catalogues[1:]]
        self._catalogues |= {each.hash: each for each in self._later}

    def cut(self, at_ms: int) -> None:
        """Put the next catalogue into force at an instant."""
        catalogue = self._later.pop(0)
        self._pass(lambda: self._engine.cut(catalogue, at_ms))


@dataclass
class Home:
    """The log of one partition, its worker, and the effects that are on their way from it."""

    worker: Cutting
    log: list[bytes] = field(default_factory=list)
    """Lines; an empty one is a cut."""
    instants: list[int] = field(default_factory=list)
    """R of each line."""
    place: int = 0
    """The next line to apply."""
    out: list[bytes] = field(default_factory=list)

    def append(self, line: bytes, at_ms: int) -> None:
        """Append a line, at an instant or at that of the line before, whichever is later."""
        self.log.append(line)
        self.instants.append(max([at_ms, *self.instants[-1:]]))

    def apply(self) -> None:
        """Apply the next line."""
        line, at_ms = self.log[self.place], self.instants[self.place]
        self.place += 1
        if not line:
            self.worker.cut(at_ms)
        else:
            self.out += self.worker.apply(stamped(line, at_ms))

    @property
    def busy(self) -> bool:
        """Tell whether something is not applied yet."""
        return self.place < len(self.log) or bool(self.out)

    @property
    def past_is_coming(self) -> bool:
        """Tell whether a history, or what follows from one, is not applied yet."""
        return any(HISTORY in line for line in [*self.log[self.place :], *self.out])


def stamped(line: bytes, at_ms: int) -> bytes:
    """Give a line the timestamp of its record."""
    return json.dumps({**json.loads(line), "recordedtime": format_instant(at_ms)}).encode()


def home_of(subject: str) -> int:
    """Return the partition of a subject."""
    return crc32(subject.encode()) % PARTITIONS


class Scattered:
    """Partitions that read at their own pace, and a filler beside them."""

    def __init__(
        self, rng: random.Random, catalogues: Sequence[Files], *, restarting: bool, waits: bool = True
    ) -> None:
        """`waits`: the filler ends a fill when all that follows from its histories is applied."""
        self.rng = rng
        self.homes = [Home(Cutting(catalogues, restarting=restarting)) for _ in range(PARTITIONS)]
        self.clock_ms = 0
        self._waits = waits
        self._ends: list[Callable[[], None]] = []

    def run(self, script: Sequence[bytes | str], end_ms: int) -> list[Partition]:
        """Apply a script: lines of events, `cut`, `fill N` for the fill of the cut of that number, and two more.

        `calm`: nothing more comes until every record is applied. `one end`: nothing more comes until the fill of one
        partition has ended.
        """
        source = list(script)
        pace = [self.rng.choice([0.05, 1, 3]) for _ in range(2 * PARTITIONS)]
        ends = self.rng.choice([0.05, 0.2, 1])
        for _ in range(STEPS_MAX):
            ready: list[tuple[float, Callable[[], None]]] = []
            if source and not self._waits_at(source[0]):
                ready.append((1, lambda: self._send(source.pop(0))))
            for home, reads, writes in zip(self.homes, pace, pace[PARTITIONS:], strict=False):
                if home.place < len(home.log):
                    ready.append((reads, home.apply))
                if home.out:
                    ready.append((writes, partial(self._deliver, home)))
            if self._ends and not (self._waits and any(home.past_is_coming for home in self.homes)):
                ready.append((ends, lambda: self._ends.pop(0)()))
            if not ready:
                return [home.worker.end(end_ms) for home in self.homes]
            self.rng.choices([act for _, act in ready], [weight for weight, _ in ready])[0]()
        raise AssertionError("effects go round for ever")

    def _waits_at(self, item: bytes | str) -> bool:
        if item == "calm":
            return any(home.busy for home in self.homes)
        return item == "one end" and len(self._ends) == PARTITIONS

    def _deliver(self, home: Home) -> None:
        line = home.out.pop(0)
        self._append(json.loads(line)["subject"], line, record_time(line) or 0)

    def _append(self, subject: str, line: bytes, at_ms: int) -> None:
        self.homes[home_of(subject)].append(line, at_ms)

    def _send(self, item: bytes | str) -> None:
        if isinstance(item, bytes):
            self.clock_ms = record_time(item) or 0
            self._append(json.loads(item)["subject"], item, self.clock_ms)
        elif item in ("calm", "one end"):
            pass
        elif item == "cut":
            for home in self.homes:
                home.append(b"", self.clock_ms + self.rng.choice([0, 0, 1, 7]))
        else:
            self._fill(int(item.removeprefix("fill ")))

    def _fill(self, number: int) -> None:
        """Bring the histories of a cut; the ends of the fill come later."""
        ends = []
        for home in self.homes:
            cut = [place for place, line in enumerate(home.log) if not line][number]
            cut_ms = home.instants[cut]
            past: dict[str, list[Any]] = {}
            for line in home.log[:cut]:
                event = json.loads(line) if line else {"type": "segue."}
                if not event["type"].startswith("segue."):
                    past.setdefault(event["subject"], []).append(event)
            for subject, events in past.items():
                record = own(self.clock_ms, "history", {"cut": cut_ms, "events": events}, subject)
                home.append(record, self.clock_ms)
            ends.append(partial(self._end, home, cut_ms))
        self.rng.shuffle(ends)
        self._ends += ends

    def _end(self, home: Home, cut_ms: int) -> None:
        home.append(own(self.clock_ms, "filled", {"cut": cut_ms, "since": None}, None), self.clock_ms)

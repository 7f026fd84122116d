"""Persons over several partitions whose catalogue changes: a cut stands in every partition, and its history comes.

Links and unlinks go on before the cut, between the cut and its histories, between these and the ends of the fill, and
after it. The filler keeps its order: it says that a partition is filled when every history, and everything that follows
from one, is applied (`streams.operations.filling`).
"""

import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import ConsumerRecord

from rules.engine.event_time import record_time
from rules.engine.partition import Partition
from rules.engine.replay import decode_live_line
from rules.engine.wanted import Wanted
from rules.ground.instants import FOREVER, format_instant
from rules.ground.partitioning import partition_of
from streams.operations.filling.before_first import Early, read_early
from streams.operations.filling.past import First, Past, Stretch
from streams.operations.filling.selection import Selection
from streams.records import Fetched
from tests.properties.batches import now
from tests.properties.delivering import Delivered
from tests.properties.fillings import own
from tests.properties.scattered import EVERY_RECORD, PARTITIONS, STEPS_MAX
from tests.transcripts.implementations import compiled
from tests.transcripts.transcript import Files

HISTORY = b"segue.history"
"""Stands in each history, and in each effect of one: it names what it comes of."""


class Cutting(Delivered):
    """A partition that makes a cut where its log says so."""

    def __init__(self, catalogues: Sequence[Files], *, restarting: bool, late: bool = False) -> None:
        """`late`: not even the first catalogue is in force at the beginning."""
        super().__init__(catalogues[0], [], EVERY_RECORD if restarting else set())
        self._later = [compiled(files) for files in catalogues[0 if late else 1 :]]
        self._catalogues |= {each.hash: each for each in self._later}
        if late:
            self._take(Partition("g1", decode_live_line))

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

    def cuts(self) -> list[int]:
        """Return where the cuts stand."""
        return [place for place, line in enumerate(self.log) if not line]

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
    return partition_of(subject.encode(), PARTITIONS)


class Scattered(Past):
    """Partitions that read at their own pace, and a filler beside them, which reads their logs."""

    def __init__(
        self,
        rng: random.Random,
        catalogues: Sequence[Files],
        *,
        restarting: bool,
        waits: bool = True,
        late: bool = False,
    ) -> None:
        """`waits`: the filler ends a fill when all that follows from its histories is applied.

        `late`: the first cut puts the first catalogue into force.
        """
        self.rng = rng
        self.homes = [Home(Cutting(catalogues, restarting=restarting, late=late)) for _ in range(PARTITIONS)]
        self.clock_ms = 0
        self._first = compiled(catalogues[0])
        self._late = late
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
        first = self._late and number == 0
        early = self._told_again() if first else Early()
        ends = []
        for partition, home in enumerate(self.homes):
            cut = home.cuts()[number]
            wanted = Wanted((), frozenset(self._first.dictionary.events), (), -FOREVER, True, ())
            selection = Selection(wanted, self._first.dictionary, partition, PARTITIONS, early.takes)
            past: dict[str, list[Any]] = {}
            for record in self._records(partition, 0, cut):
                text = selection.text_of(record, record.timestamp)
                if text is not None and record.key is not None:
                    past.setdefault(record.key.decode(), []).append(json.loads(text))
            cut_ms = home.instants[cut]
            for subject, events in past.items():
                line = own(self.clock_ms, "history", {"cut": cut_ms, "events": events}, subject)
                home.append(line, self.clock_ms)
            ends.append(partial(self._end, home, cut_ms))
        self.rng.shuffle(ends)
        self._ends += ends

    def _told_again(self) -> Early:
        """Tell links and erasures again that came before the first catalogue."""
        cuts = {partition: (0, home.cuts()[0]) for partition, home in enumerate(self.homes)}
        ends = {partition: len(home.log) for partition, home in enumerate(self.homes)}
        policy = self._first.policy
        early = now(read_early(self, cuts, ends, self._first.dictionary, begins_anew=policy.begins_anew))
        for record in [*early.erasures("in", PARTITIONS), *early.link_events("in", PARTITIONS)]:
            assert record.value is not None
            self.homes[record.partition].append(record.value, self.clock_ms)
        return early

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        """Read the log of a partition."""
        yield Stretch(self._records(partition, start, end), end)

    async def first(self, partition: int, t_ms: int) -> First | None:
        """Never called."""
        raise AssertionError

    def _records(self, partition: int, start: int, end: int) -> list[Fetched]:
        home = self.homes[partition]
        found = []
        for offset in range(start, end):
            line = home.log[offset]
            key = json.loads(line).get("subject", "").encode() if line else b""
            found.append(ConsumerRecord("in", partition, offset, home.instants[offset], 1, key, line, 0, 0, 0, ()))
        return found

    def _end(self, home: Home, cut_ms: int) -> None:
        home.append(own(self.clock_ms, "filled", {"cut": cut_ms, "since": None}, None), self.clock_ms)

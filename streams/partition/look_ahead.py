"""Look ahead of a held partition: what stands in the log beyond, without applying it.

A held partition applies nothing. It reads on all the same, only to find out whether it may go on:

- at a `segue.resume` record: a person has looked, and says so. Refused records before it are pardoned;
- at the end of the log, when it is calm: nothing was refused for `calm_ms`, or no more than the share that is allowed.
  Refused records before that end are pardoned: whoever wrote them has stopped.

It decodes with the dictionary of the catalogue that would be in force at each record, so a catalogue that declares what
was undeclared calms the log, too. Then the input is opened again where the partition stands, and every record is
applied in its turn. The wall clock says only when to go on, never what changes.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.engine.decode import Own
from rules.engine.record import CATALOGUE_TYPE, EMPTY_DICTIONARY, Record
from rules.engine.refusal import Refusal
from streams.errors import Incident
from streams.intake.bad_input import BadInputLimits
from streams.intake.decoding import decoder_of
from streams.partition.shared import PartitionShared
from streams.records import Batch, Fetched
from streams.wire.maker import RESUME_TYPE

RECORDS_HIGH: Final = 4_000
"""With more records waiting, the input is held."""
PORTION: Final = 200
"""Records that are looked at in one turn: a few ms."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """The partition may go on."""

    before_offset: int
    """Refused records before this offset are pardoned."""
    by: str = ""
    """Who resumed it; "": it goes on by itself."""
    looked: int = 0
    """How many records beyond were looked at."""


class LookAhead:
    """Reads on from where a held partition stands. It takes the place of the partition's inbox."""

    def __init__(
        self, partition: int, shared: PartitionShared, catalogue: str, clock_ms: int, on_news: Callable[[], None]
    ) -> None:
        """`catalogue`: the hash in force where the partition stands; `clock_ms`: the clock there."""
        self._partition = partition
        self._shared = shared
        self._limits: BadInputLimits = shared.bad_input
        self._catalogue = catalogue
        self._clock_ms = clock_ms
        self._last_bad_ms = clock_ms
        """The record that made the share too large was refused by then."""
        self._on_news = on_news
        self._decode = decoder_of(partition, shared.deployment.partitions)
        self._waiting: deque[Fetched] = deque()
        self._input_held = False
        self._newest: deque[list[int]] = deque()
        """[second, records, refused] of the last `calm_ms`."""
        self.next_offset = -1
        """The next record to look at; -1: none was looked at."""
        self.oldest_ms = -1
        """The timestamp of the first record that is not applied; -1: not known."""
        self.looked = 0
        self.refused = 0
        self.error: BaseException | None = None

    # -- what the input tells (streams.intake.input.BatchQueue)

    def put(self, batch: Batch) -> None:
        """Take a fetched batch; never empty."""
        if self.oldest_ms < 0:
            self.oldest_ms = batch[0].timestamp
        self._waiting.extend(batch)
        if len(self._waiting) > RECORDS_HIGH:
            self._input_held = True
            self._shared.input.hold(self._partition)
        self._on_news()

    def unreadable(self, error: BaseException) -> None:
        """Note that the log does not hold the next record to read."""
        self.error = error
        self._on_news()

    # -- looking

    @property
    def waiting(self) -> bool:
        """Whether records wait to be looked at."""
        return bool(self._waiting)

    async def look(self) -> GoOn | None:
        """Look at some of the records that wait. Returns GoOn, or None: the partition stays held."""
        for _ in range(min(PORTION, len(self._waiting))):
            found = self._waiting.popleft()
            self.next_offset = found.offset + 1
            resumed = await self._look_at(found)
            if resumed is not None:
                return resumed
        if self._input_held and len(self._waiting) <= PORTION:
            self._input_held = False
            self._shared.input.resume(self._partition)
        return GoOn(self.next_offset, looked=self.looked) if self._calm() else None

    async def _look_at(self, found: Fetched) -> GoOn | None:
        self._clock_ms = max(self._clock_ms, found.timestamp)
        catalogue = await self._shared.catalogue(self._catalogue) if self._catalogue else None
        dictionary = EMPTY_DICTIONARY if catalogue is None else catalogue.dictionary
        record = Record(found.offset, found.timestamp, found.key, found.value, found.headers)
        decoded = self._decode(record, dictionary, self._clock_ms)
        if isinstance(decoded, Own):
            return await self._own(decoded, found.offset)
        refused = isinstance(decoded, Refusal)
        self.looked += 1
        self.refused += refused
        second = found.timestamp // 1_000
        if not self._newest or self._newest[-1][0] != second:
            self._let_go_of_old()
            self._newest.append([second, 0, 0])
        self._newest[-1][1] += 1
        self._newest[-1][2] += refused
        return None

    async def _own(self, own: Own, offset: int) -> GoOn | None:
        data = own.data if isinstance(own.data, Mapping) else {}
        if own.type == RESUME_TYPE:
            return GoOn(offset + 1, _text(data.get("by")) or "(unnamed)", self.looked)
        digest = data.get("catalogue")
        if own.type == CATALOGUE_TYPE and isinstance(digest, str):
            try:
                await self._shared.catalogue(digest)
            except Incident:
                return None  # where the partition comes to it, it says so
            self._catalogue = digest
        return None

    def _let_go_of_old(self) -> None:
        since_ms = self._shared.clock.wall_ms() - self._limits.calm_ms
        while self._newest and self._newest[0][0] < since_ms // 1_000:
            self._newest.popleft()

    def _calm(self) -> bool:
        """Whether the log is read to its end, and the records of the last `calm_ms` are as good as they must be."""
        if self._waiting or not self._shared.input.offsets(self._partition).at_end:
            return False
        self._let_go_of_old()
        lasted = self._shared.clock.wall_ms() - self._last_bad_ms >= self._limits.calm_ms
        records, refused = (sum(each[n] for each in self._newest) for n in (1, 2))
        return lasted and refused <= self._limits.share_max * records


def _text(value: Any) -> str:
    return "".join(each if each.isprintable() else "?" for each in value[:200]) if isinstance(value, str) else ""

"""Get one request's changes answered: attempts, waits, halves, dead letters. Several at the same time, in one process.

1. Wait until a request may go: the endpoint asked for no pause, the rate is kept, the partitions are surely ours.
2. Send, and judge the answer. Later: wait (back-off doubles, half of it by chance; or as long as was asked), go to 1.
   A crash here: the platform may have the changes, and gets them again from the partition's next owner.
3. Refused as a whole: go to 1 with the first half, then with the second. A change that is refused alone becomes a dead
   letter.
4. Dead letters, and receipts of erasures, are written and acknowledged before their changes are settled. A crash in
   between: the changes are sent, and these records perhaps written, again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final

from streams.actions import told
from streams.clock import Clock
from streams.delivery.answers import Accepted, Later, Refused, Told, Wrong, judge
from streams.delivery.endpoint import Endpoint, NoAnswer
from streams.delivery.receipts import Receipts
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import Shape
from streams.delivery.status import DeliveryStatus
from streams.delivery.window import Parcel
from streams.errors import NotReachable
from streams.log.client import KafkaLog
from streams.records import OutRecord
from streams.retry import GivenUp, Patience, backoff_ms, until_answered

log = logging.getLogger(__name__)

SPREAD_MS: Final = 500
"""The most that chance adds to a pause that an endpoint asked for: not all requests come back in the same instant."""
SAID_EVERY_MS: Final = 10_000
"""A reason to wait is logged at most once in this time, with a count of its repeats."""
WARNED_FROM: Final = 3
"""From this attempt on a failure is a warning; before, it is information."""


UNSENT: Final = Told()
"""What is known of a change that can never be sent."""


class Stopped(Exception):
    """The endpoint takes nothing until a setting is changed. The text says which, and names no profile."""


class Abandoned(Exception):
    """The partitions are being given up: their next owner sends the changes that wait."""


class PutOff(Exception):
    """A request has to be sent again."""

    def __init__(self, later: Later) -> None:
        super().__init__(later.why)
        self.later: Final = later


class RequestPace:
    """When the process may send its next request: by the documented rate, and by pauses that the endpoint asked for."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._gap_ms: Final = 1000 / per_s
        self._clock = clock
        self._next_ms = 0.0
        self._paused_until_ms = 0.0

    def pause(self, length_ms: float) -> None:
        """Let nothing go for so long."""
        self._paused_until_ms = max(self._paused_until_ms, self._clock.now_ms() + length_ms)

    def wait_ms(self) -> float:
        """Return how long to wait before asking again. 0: one request may go now, and is counted."""
        now_ms = self._clock.now_ms()
        until_ms = max(self._next_ms, self._paused_until_ms)
        if until_ms > now_ms:
            return until_ms - now_ms
        self._next_ms = now_ms + self._gap_ms
        return 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """The deliverer's hold on the partitions in hand."""

    closing: asyncio.Event
    """Set: they are being given up."""
    surely_ours: Callable[[], bool]
    """Whether the group has surely not given them to another process."""


class Sender:
    """Sends requests to one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        shape: Shape,
        settings: DeliverySettings,
        status: DeliveryStatus,
        clock: Clock,
        hold: Hold,
        dead_letter: Callable[[Parcel, str], OutRecord] | None,
        receipts: Receipts,
        producer: KafkaLog,
        chance: Random,
    ) -> None:
        self._endpoint = endpoint
        self._shape = shape
        self._settings = settings
        self._status = status
        self._clock = clock
        self._hold = hold
        self._dead_letter = dead_letter
        """None: the changes are no records, and a receipt alone says that one was refused."""
        self._receipts = receipts
        self._producer = producer
        self._chance = chance
        self._pace = RequestPace(shape.requests_per_s_max, clock)
        self._requests = count()
        self._refused_in_a_row = 0
        self._said: dict[str, tuple[float, int]] = {}

    async def deliver(self, parcels: Sequence[Parcel], settled: Callable[[Sequence[Parcel]], None]) -> None:
        """Send changes until each is accepted or a dead letter.

        Calls `settled` with changes that are. Raises Abandoned, Stopped, our bugs.
        """
        todo = [list(parcels)]
        while todo:
            now = todo.pop()
            verdict = await self._answered(now)
            if isinstance(verdict, Accepted):
                refused = [now[index] for index in sorted(verdict.refused)]
                accepted = [parcel for index, parcel in enumerate(now) if index not in verdict.refused]
                await self._accepted(accepted, verdict.told, settled)
                await self._bury(refused, "item_refused", verdict.told, settled)
            elif verdict.named and len(verdict.named) < len(now):
                # only the named changes are at fault: the others go again without them
                todo.append([parcel for index, parcel in enumerate(now) if index not in verdict.named])
                named = [now[index] for index in sorted(verdict.named)]
                await self._bury(named, "item_refused", verdict.told, settled)
            elif len(now) > 1 and not verdict.named:
                half = len(now) // 2
                todo += [now[half:], now[:half]]
            else:
                await self._bury(now, "item_refused" if verdict.named else verdict.code, verdict.told, settled)

    async def _accepted(
        self, parcels: Sequence[Parcel], told_us: Told, settled: Callable[[Sequence[Parcel]], None]
    ) -> None:
        if parcels:
            self._refused_in_a_row = 0
            await self.append(self._receipts.accepted(parcels, told_us, self._clock.wall_ms()))
            erased = sum(parcel.erases for parcel in parcels)
            self._status.delivered += len(parcels) - erased
            self._status.erased += erased
            if erased:
                told_of = "%s: it took %d erasures"
                log.info(told_of, self._endpoint.host, erased, extra=told("erasures_told", count=erased))
            settled(parcels)

    async def _answered(self, parcels: Sequence[Parcel]) -> Accepted | Refused:
        """Send a request until the platform accepts or refuses it. Raises Abandoned, Stopped."""
        number = next(self._requests)
        body = self._shape.body(parcels)
        at = f"{self._endpoint.host}{self._shape.deletion_path if self._deletes(parcels) else ''}"

        async def ask() -> Accepted | Refused:
            await self._turn()
            verdict = await self._attempt(parcels, body)
            if isinstance(verdict, Wrong):
                raise Stopped(f"{at}: {verdict.why}")
            if isinstance(verdict, Later):
                raise PutOff(verdict)
            return verdict

        async def wait(attempt: int, fault: Exception) -> None:
            assert isinstance(fault, PutOff)
            await self._put_off(number, attempt, fault.later)

        try:
            return await until_answered(ask, PutOff, wait)
        finally:
            self._status.waiting.pop(number, None)

    async def _attempt(self, parcels: Sequence[Parcel], body: bytes) -> Accepted | Refused | Later | Wrong:
        wall_ms = self._clock.wall_ms()
        self._status.requests += 1
        try:
            path = self._shape.deletion_path if self._deletes(parcels) else ""
            answer = await self._endpoint.post(body, self._shape.headers(parcels, body, wall_ms), path)
        except NoAnswer as none:
            self._status.codes["none"] += 1
            return Later(str(none))
        self._status.codes[str(answer.status)] += 1
        return judge(answer, self._shape, len(parcels), self._clock.wall_ms(), deletes=self._deletes(parcels))

    def _deletes(self, parcels: Sequence[Parcel]) -> bool:
        return self._shape.limits.deletions_max is not None and parcels[0].erases

    async def _put_off(self, number: int, attempt: int, verdict: Later) -> None:
        self._status.retries += 1
        most_ms = backoff_ms(attempt, first_ms=self._settings.retry_first_ms, most_ms=self._settings.retry_most_ms)
        wait_ms = most_ms / 2 + self._chance.uniform(0, most_ms / 2)
        if verdict.wait_ms is not None:
            wait_ms = max(wait_ms, verdict.wait_ms + self._chance.uniform(0, SPREAD_MS))
            self._pace.pause(wait_ms)
        self._status.waiting[number] = verdict.why
        self._say(verdict.why, attempt, wait_ms)
        await self._wait(wait_ms)

    def _say(self, why: str, attempt: int, wait_ms: float) -> None:
        said_ms, kept_back = self._said.get(why, (float("-inf"), 0))
        now_ms = self._clock.now_ms()
        if now_ms - said_ms < SAID_EVERY_MS:
            self._said[why] = said_ms, kept_back + 1
            return
        self._said[why] = now_ms, 0
        level = logging.WARNING if attempt >= WARNED_FROM else logging.INFO
        more = f" (and {kept_back} times since this was said)" if kept_back else ""
        said = (self._endpoint.host, why, attempt + 1, wait_ms / 1000, more)
        extra = told("request_failed", attempt=attempt, seconds=round(wait_ms / 1000, 1), why=why)
        log.log(level, "%s: %s; attempt %d in %.1f s%s", *said, extra=extra)

    async def _turn(self) -> None:
        """Wait until a request may go."""
        while True:
            if self._hold.closing.is_set():
                raise Abandoned
            if not self._hold.surely_ours():
                await self._wait(50)
            elif wait_ms := self._pace.wait_ms():
                await self._wait(wait_ms)
            else:
                return

    async def _wait(self, length_ms: float) -> None:
        await self._clock.wait(self._hold.closing, length_ms)
        if self._hold.closing.is_set():
            raise Abandoned

    # -- dead letters

    async def _bury(
        self, parcels: Sequence[Parcel], code: str, told_us: Told, settled: Callable[[Sequence[Parcel]], None]
    ) -> None:
        for parcel in parcels:
            await self.bury(parcel, code, told_us)
            settled([parcel])
            self._refused_in_a_row += 1
        if self._refused_in_a_row >= self._settings.refused_in_a_row_max:
            raise Stopped(
                f"{self._endpoint.host}: it refused {self._refused_in_a_row} changes in a row and accepted none"
                " (they are among the dead letters): is SEGUE_DELIVER_SHAPE what the endpoint takes?"
            )

    async def bury(self, parcel: Parcel, code: str, told_us: Told = UNSENT) -> None:
        """Write a dead letter, and of an erasure its receipt; wait until they are acknowledged. Raises Abandoned."""
        receipts = self._receipts.refused(parcel, code, told_us, self._clock.wall_ms())
        letters = [] if self._dead_letter is None else [self._dead_letter(parcel, code)]
        await self.append([*letters, *receipts])
        self._status.refused += 1
        if parcel.erases:
            self._status.erasures_refused += 1
            refuses = "%s: it refuses an erasure (%s): the person is still there"
            log.error(refuses, self._endpoint.host, code, extra=told("erasure_refused", why=code))

    async def append(self, records: Sequence[OutRecord]) -> None:
        """Append records, each however long it takes. Raises Abandoned."""
        await asyncio.gather(*map(self._append, records))

    async def _append(self, record: OutRecord) -> None:

        def tell(attempt: int, fault: Exception) -> None:
            self._status.log_away = str(fault)

        patience = Patience(self._clock, ended=self._hold.closing, tell=tell)
        try:
            await until_answered(lambda: self._producer.append(record), NotReachable, patience)
        except GivenUp:
            raise Abandoned from None
        self._status.log_away = ""

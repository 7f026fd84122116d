"""Links, made to happen: two names turn out to be one person while events are played.

- A professional is e-mailed under `hcp:`, and enters the treatment-initiation programme under `crm:`. The link brings
  the programme to the e-mailed name, and so ends the e-mail journey. Then the programme is completed, told under
  `crm:`; some links are taken back.
- A patient is reminded by SMS under `patient:`, and wants no messages, told under `app:`. The link ends the reminder.
  Some of these patients are erased afterwards.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from time import monotonic
from typing import Any, Final

from streams.clock import SystemClock
from streams.demo.figures import Figures
from streams.demo.load import Load
from streams.demo.show import Show
from streams.demo.suppress import Suppressor
from streams.example import persons

EVERY_S: Final = 1.5
"""Between two links of a kind."""
HEARD_S: Final = 20.0
"""So long a change is waited for; half-way a worker is killed, and others take over after seconds."""
POLL_S: Final = 0.02
TAKEN_BACK: Final = 3
"""Every so many links of professionals, one is taken back."""
ERASED: Final = 2
"""Every so many links of patients, the patient is erased."""


PATIENTS_FROM: Final = 100_000
"""Their links are numbered from here on."""
_PROGRAMME: Final = "its programme has ended the e-mail"
_STOPPED: Final = "its withdrawal has ended the SMS"


class Linker:
    """Keeps whom a link would make a difference to, and sends the events."""

    def __init__(self, suppressor: Suppressor, programme: str, show: Show) -> None:
        """`suppressor` knows who is active in a promotional journey; `programme`: the segment that ends it."""
        self._suppressor = suppressor
        self._programme = programme
        self._show = show
        self._reminded: dict[str, None] = {}
        """Patients with an active activation on SMS, in order."""
        self._enrolled: set[str] = set()
        """Who entered the programme."""
        self._told: set[str] = set()
        """What was told already: of each kind the first is."""
        self._over: set[str] = set()
        """`source id` of the events that ended an activation, or everything."""

    def moved(self, change: Mapping[str, Any]) -> None:
        """Take in a change of a membership."""
        if change["segment"] == self._programme and change["change"] == "entered":
            self._enrolled.add(change["profile"])
        if change["reason"]["kind"] == "erased":
            self._over.update(change["reason"]["events"])

    def contacted(self, change: Mapping[str, Any]) -> None:
        """Take in a change of an activation."""
        subject = change["profile"]
        if change["change"] == "deactivated":
            self._over.update(change["reason"]["events"])
        if change["channel"] == "sms" and subject.startswith("patient:"):
            if change["change"] == "activated":
                self._reminded[subject] = None
            else:
                self._reminded.pop(subject, None)

    async def run(self, load: Load, figures: Figures) -> None:
        """Link professionals and patients while events are played, until cancelled."""
        await asyncio.gather(self._professionals(load, figures), self._patients(load, figures))

    async def _professionals(self, load: Load, figures: Figures) -> None:
        for number in count(1):
            subject = await self._next(figures, lambda: self._suppressor.take("-email"))
            await self._professional(load, figures, subject, number)

    async def _professional(self, load: Load, figures: Figures, subject: str, number: int) -> None:
        alias = persons.second_name(subject)
        load.send_between(persons.enrolled_in_crm(alias, number, _now_ms()))
        if not await self._heard(lambda: alias in self._enrolled):
            return
        link = persons.linked(alias, subject, number, _now_ms())
        if not await self._ends(load, figures, link, f"{alias} is {subject}", _PROGRAMME):
            return
        load.send_between(persons.completed_in_crm(alias, number, _now_ms()))
        if number % TAKEN_BACK == 0:
            await asyncio.sleep(EVERY_S)
            load.send_between(persons.unlinked(alias, number, _now_ms()))

    async def _patients(self, load: Load, figures: Figures) -> None:
        for number in count(1):
            subject = await self._next(figures, self._take_reminded)
            alias = persons.second_name(subject)
            load.send_between(persons.stopped_in_app(alias, number, _now_ms()))
            link = persons.linked(alias, subject, PATIENTS_FROM + number, _now_ms())
            linked = await self._ends(load, figures, link, f"{alias} is {subject}", _STOPPED)
            if linked and number % ERASED == 1:
                erasure = persons.erased(alias, number, _now_ms())
                await self._ends(load, figures, erasure, f"{alias} is erased", f"{subject} is forgotten, too")

    async def _next(self, figures: Figures, take: Callable[[], str | None]) -> str:
        """Wait for the next turn, and for somebody to link."""
        while True:
            await asyncio.sleep(EVERY_S)
            playing = figures.playing_s is not None and not figures.played_s
            if playing and (subject := take()) is not None:
                return subject

    def _take_reminded(self) -> str | None:
        subject = next(iter(self._reminded), None)
        if subject is not None:
            del self._reminded[subject]
        return subject

    async def _ends(self, load: Load, figures: Figures, event: dict[str, Any], what: str, ended: str) -> bool:
        """Send a link or an erasure, and wait until it has ended something; tell of the first of its kind."""
        begun_s = monotonic()
        load.send_between(event)
        name = f"{event['source']} {event['id']}"
        if not await self._heard(lambda: name in self._over):
            return False
        kind = f"{event['source']} {event['type']} {event['subject'].partition(':')[0]}"
        if kind not in self._told:
            self._told.add(kind)
            figures.notices.append(f"{what}: {ended}, {(monotonic() - begun_s) * 1000:.0f} ms later")
            self._show.notice(figures.notices[-1])
        return True

    async def _heard(self, happened: Callable[[], bool]) -> bool:
        until = monotonic() + HEARD_S
        while not happened():
            if monotonic() > until:
                return False
            await asyncio.sleep(POLL_S)
        return True


def _now_ms() -> int:
    return SystemClock().wall_ms()

"""Payers, made to tell: one tightens its criteria, and its prescribers' segments move in the same second.

Every few seconds some professionals are tied to an invented payer as its prescribers. Then the payer is told that its
criteria are tighter. That one event reaches each of them, in whatever partition they are.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from time import monotonic
from typing import Any, Final

from streams.clock import SystemClock
from streams.demo.figures import Figures
from streams.demo.load import Load
from streams.demo.show import Show
from streams.example import organisations

EVERY_S: Final = 1.5
"""Between the ties and the telling, and until the next payer."""
PRESCRIBERS: Final = 20
"""Of a payer."""
HEARD_S: Final = 20.0
"""So long the entries are waited for; half-way a worker is killed, and others take over after seconds."""
POLL_S: Final = 0.02


class Teller:
    """Ties professionals to payers, tells the payers something, and hears who enters because of it."""

    def __init__(self, professionals: Sequence[str], segment: str, show: Show) -> None:
        """`segment`: the one that a prescriber of a payer with tighter criteria enters."""
        self._waiting = list(reversed(professionals))
        self._segment = segment
        self._show = show
        self._entered: dict[str, int] = {}
        """By `source id` of a payer's event: how many entered the segment because of it."""

    def moved(self, change: Mapping[str, Any]) -> None:
        """Take in a change of a membership."""
        if change["segment"] == self._segment and change["change"] == "entered":
            for event in change["reason"]["events"]:
                self._entered[event] = self._entered.get(event, 0) + 1

    async def run(self, load: Load, figures: Figures) -> None:
        """Let payers tell while events are played, until cancelled."""
        for number in count(1):
            await self._turn(figures)
            chosen = [self._waiting.pop() for _ in range(min(PRESCRIBERS, len(self._waiting)))]
            if not chosen:
                return
            payer = organisations.payer(number)
            for subject in chosen:
                load.send_between(organisations.prescribes(subject, payer, _now_ms()))
            await self._turn(figures)
            await self._tell(load, figures, payer, number, len(chosen))

    async def _tell(self, load: Load, figures: Figures, payer: str, number: int, prescribers: int) -> None:
        begun_s = monotonic()
        event = organisations.tightened(payer, number, _now_ms())
        load.send_between(event)
        name = f"{event['source']} {event['id']}"
        while self._entered.get(name, 0) < prescribers:
            if monotonic() > begun_s + HEARD_S:
                return
            await asyncio.sleep(POLL_S)
        if number == 1:
            took_ms = (monotonic() - begun_s) * 1000
            said = f"{payer} tightens criteria: its {prescribers} prescribers moved, the last after {took_ms:.0f} ms"
            figures.notices.append(said)
            self._show.notice(said)

    async def _turn(self, figures: Figures) -> None:
        """Wait for the next turn while events are played; once they are over, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            if figures.playing_s is not None and not figures.played_s:
                return


def _now_ms() -> int:
    return SystemClock().wall_ms()

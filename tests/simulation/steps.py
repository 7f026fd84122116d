"""A worker that dies at one request of its way from a cause to what follows from it; perhaps Redis goes back, too.

The cause is a link, unless a kind of run says otherwise (`tests.simulation.affiliations`). The one worker of both
partitions does what follows: the alias leaves, the contribution is written, the end takes over. The worker dies at its
n-th request to Kafka or Redis after the cause, before the request is carried out or after it. Another worker goes on.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from tests.models.store import Request
from tests.simulation.persons import PersonsRun, check
from tests.simulation.storms import PARTITIONS, Process, Storm

T = TypeVar("T")
ALIAS, END = "crm:4", "hcp:1"


class Counting(Storm):
    """A network on which the sender of one request dies."""

    def __init__(self, run: "StepRun") -> None:
        super().__init__(run.world, run.rng)
        self._run = run

    async def call(self, name: str, request: Callable[[], T]) -> T:
        return await self._run.ask(request)


class StepRun(PersonsRun):
    """One run with one worker, which dies at a request."""

    def __init__(self, seed: int, at: int, *, carried_out: bool) -> None:
        super().__init__(seed)
        self.at = at
        self.carried_out = carried_out
        self.asked = -1
        """Requests since the cause; below 0: none are counted yet."""
        self.dead = False
        self.afterwards = "b"
        """The type of the event of ALIAS at the end."""
        self._first = True
        """Whether the first worker is the one that asks."""

    def prepare(self) -> None:
        """Tell what is known before."""
        for subject in (ALIAS, END, ALIAS):
            self.world.advance(10)
            self.tell(subject, "b")
        self.tell(ALIAS, "a", {"color": "red"})

    def cause(self) -> None:
        """Tell what brings effects."""
        self.tell(ALIAS, "identity.linked", {"canonical": END})

    async def ask(self, request: Callable[[], T]) -> T:
        """Carry a request out, or let its sender die at it."""
        await asyncio.sleep(0)
        if self.asked >= 0 and self._first and not self.dead:
            self.asked += 1
            if self.asked == self.at:
                if self.carried_out:
                    request()
                self.dead = True
        if self.dead and self._first:
            await asyncio.Event().wait()  # no request of a dead worker is answered
        return request()

    async def carry(self, partition: int, method: str, request: Request) -> object:
        return await self.ask(request)

    async def to_the_end(self, roll_back: int | None) -> bool:
        """Run; return whether the worker died. `roll_back`: the partition whose Redis goes back to before the link."""
        await self.begin()
        self.storm = self.world.network = Counting(self)
        await self.processes[1].kill()
        await self.processes[0].kill()
        self.processes = [Process(self.world, random.Random(1))]
        await self.processes[0].give(set(range(PARTITIONS)))
        self.prepare()
        await self.world.until(self.settled)
        before = len(self.world.server.history.get(roll_back, ())) - 1 if roll_back is not None else 0
        self.world.advance(10)
        self.cause()
        self.asked = 0
        await self.world.until(lambda: self.dead or self.settled())
        died, self._first = self.dead, False
        if died:
            await self.processes[0].kill()
        if roll_back is not None:
            self.world.server.roll_back(roll_back, before)
        if died:
            self.processes = [Process(self.world, random.Random(2))]
            await self.processes[0].give(set(range(PARTITIONS)))
        self.world.advance(10)
        self.tell(ALIAS, self.afterwards)
        await self.world.until(self.settled, 600_000)
        check(self)
        for process in self.processes:
            assert not process.worker.status.failure
            await process.revoke()
            await process.kill()
        return died

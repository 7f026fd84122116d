"""Watch the servers of a process: does each answer, and since when not? Two log lines tell when one goes and is back.

Each dependency has a question of its own, asked about once a second over a connection of its own, so the main path is
not touched. A question that is not answered stays out: its answer, however late, says that the server is back. Worst
case for a server that freezes: EVERY_MS until the next question, ANSWER_MS and GRACE_MS for no answer, 3.2 s together.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable, Unanswered
from streams.health import Reason

log = logging.getLogger(__name__)

EVERY_MS: Final = 1_000
"""Between an answer and the next question."""
ANSWER_MS: Final = 2_000
"""A server that answers later than this does not answer. A broker that writes to a slow disk takes some 100 ms."""
GRACE_MS: Final = 200
"""After that time one more look: if this process stood still meanwhile, the answer is there and was not read."""
SPOKEN: Final[Mapping[str, str]] = {"kafka": "Kafka", "redis": "Redis", "endpoint": "the endpoint"}

Ask: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when the server has answered. Raises NotReachable, Unanswered or OSError, which say why it does not."""


@dataclass(frozen=True, slots=True)
class Away:
    """A server that does not answer."""

    why: str
    since_ms: int
    """UTC epoch ms: when the first question was asked that has no answer."""


@dataclass(slots=True)
class Dependencies:
    """The servers of a process, as the watch knows them. Nothing is decided by it."""

    names: tuple[str, ...] = ("kafka", "redis")
    away: dict[str, Away] = field(default_factory=dict)
    """The servers that do not answer."""

    def up(self, name: str) -> bool:
        """Tell whether a server answers, or was not asked yet."""
        return name not in self.away

    def reasons(self) -> Iterator[Reason]:
        """Yield a reason for each server that is away."""
        for name, away in self.away.items():
            sentence = f"{SPOKEN[name]} cannot be used: {away.why}"
            yield Reason("dependency_away", sentence, dependency=name, since_ms=away.since_ms)

    def as_json(self) -> dict[str, dict[str, object]]:
        """Return the JSON value for /status: by name whether it answers, why not, and since when (epoch ms)."""
        return {
            name: {"up": True} if away is None else {"up": False, "why": away.why, "since_ms": away.since_ms}
            for name, away in ((name, self.away.get(name)) for name in self.names)
        }


class DependencyWatch:
    """Asks each server again and again, and keeps `Dependencies`."""

    def __init__(self, dependencies: Dependencies, asks: Mapping[str, Ask], clock: Clock) -> None:
        self._dependencies = dependencies
        self._asks = asks
        self._clock = clock

    async def run(self) -> None:
        """Watch without end."""
        async with asyncio.TaskGroup() as group:
            for name, ask in self._asks.items():
                group.create_task(self._watch(name, ask))

    async def _watch(self, name: str, ask: Ask) -> None:
        while True:
            await self.look(name, ask)
            await self._clock.sleep(EVERY_MS)

    async def look(self, name: str, ask: Ask) -> None:
        """Ask one server once; return when it has answered, or the question has failed."""
        asked_ms = self._clock.wall_ms()
        asking = asyncio.ensure_future(ask())
        try:
            for wait_ms in (ANSWER_MS, GRACE_MS):
                await asyncio.wait({asking}, timeout=wait_ms / 1000)
            if not asking.done():
                self._gone(name, f"no answer came within {ANSWER_MS // 1000} s", asked_ms)
                await asyncio.wait({asking})
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        try:
            asking.result()
        except (NotReachable, Unanswered, OSError) as error:
            self._gone(name, str(error) or type(error).__name__, asked_ms)
        except Exception as error:
            # our bug, or a client's: it shows in /ready, and the work that the watch is not part of goes on
            if name not in self._dependencies.away:
                log.exception("a bug in the question to %s", SPOKEN[name], extra={"dependency": name})
            self._gone(name, f"a bug ({type(error).__name__}), see the log", asked_ms)
        else:
            self._back(name)

    def _gone(self, name: str, why: str, asked_ms: int) -> None:
        before = self._dependencies.away.get(name)
        self._dependencies.away[name] = Away(why, asked_ms if before is None else before.since_ms)
        if before is None:
            log.warning("%s cannot be used: %s", SPOKEN[name], why, extra=told("dependency_away", dependency=name))

    def _back(self, name: str) -> None:
        away = self._dependencies.away.pop(name, None)
        if away is not None:
            away_s = round(max(0, self._clock.wall_ms() - away.since_ms) / 1000, 1)
            extra = told("dependency_back", dependency=name, seconds=away_s)
            log.info("%s can be used again, after %.1f s", SPOKEN[name], away_s, extra=extra)

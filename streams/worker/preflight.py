"""Before a worker starts: ask whether the servers are there and set as Segue needs them. Waits for them a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable, Refused, StoreRefused, Unanswered
from streams.exits import Exit
from streams.finding import Finding
from streams.retry import GivenUp, Patience, tell_nobody, until_answered

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[list[Finding]]]
"""Returns what is wrong. Raises NotReachable, Unanswered, OSError: ask again."""

PATIENCE_MS: Final = 30_000
"""How long a server may be away when a worker starts. A running worker waits for any time."""
RETRY_MOST_MS: Final = 2_000


async def preflight(
    checks: Iterable[Check],
    clock: Clock,
    ended: asyncio.Event,
    tell: Callable[[int, Exception], None] = tell_nobody,
) -> Exit:
    """Ask every check, in order. `tell` hears (attempt, fault) while a server is away.

    Returns DONE; WRONG_INPUT after a fatal finding; NOT_REACHABLE if a server stays away
    or refuses this process, or `ended` is set.
    """

    def tell_or_end(attempt: int, fault: Exception) -> None:
        tell(attempt, fault)
        if isinstance(fault, Refused | StoreRefused):
            # a wrong password does not become right by waiting
            raise GivenUp(fault)

    patience = Patience(
        clock, ended=ended, tell=tell_or_end, until_ms=clock.now_ms() + PATIENCE_MS, most_ms=RETRY_MOST_MS
    )
    for check in checks:
        try:
            findings = await until_answered(check, (NotReachable, Unanswered, OSError), patience)
        except GivenUp as given_up:
            refused = isinstance(given_up.fault, Refused | StoreRefused)
            what = "the worker ends: %s" if refused else "a server is not reachable: %s"
            log.error(what, given_up.fault, extra=told("start_refused"))  # noqa: TRY400 - no bug, no traceback
            return Exit.NOT_REACHABLE
        for finding in findings:
            log.log(logging.ERROR if finding.fatal else logging.WARNING, "%s", finding, extra=told("setting_found"))
        if any(finding.fatal for finding in findings):
            return Exit.WRONG_INPUT
    return Exit.DONE

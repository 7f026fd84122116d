"""Before a worker starts: are the servers there, and may it rest on them? Waits for them a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from streams.clock import Clock, backoff_ms
from streams.errors import NotReachable, Unanswered
from streams.finding import Finding

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[list[Finding]]]
"""What is wrong. Raises NotReachable, Unanswered, OSError: ask again."""

PATIENCE_MS: Final = 30_000
"""How long a server may be away when a worker starts; afterwards any time will do."""
OK: Final = 0
WRONG: Final = 1
UNREACHABLE: Final = 3


async def preflight(checks: Iterable[Check], clock: Clock, ended: asyncio.Event) -> int:
    """Ask every check; the exit status: 0; 1 after a fatal finding; 3 if a server stays away, or `ended` is set."""
    until_ms = clock.now_ms() + PATIENCE_MS
    for check in checks:
        findings = await _patiently(check, clock, ended, until_ms)
        if findings is None:
            return UNREACHABLE
        for finding in findings:
            log.log(logging.ERROR if finding.fatal else logging.WARNING, "%s", finding)
        if any(finding.fatal for finding in findings):
            return WRONG
    return OK


async def _patiently(check: Check, clock: Clock, ended: asyncio.Event, until_ms: float) -> list[Finding] | None:
    attempt = 0
    while True:
        try:
            return await check()
        except (NotReachable, Unanswered, OSError) as error:
            attempt += 1
            if ended.is_set() or clock.now_ms() > until_ms:
                log.error("a server is not reachable: %s", error)  # noqa: TRY400 - no bug, no traceback
                return None
            await clock.wait(ended, backoff_ms(attempt, most_ms=2_000))

"""What a worker looks at for its metrics decides nothing: a bug there ends no worker."""

import asyncio
from typing import Any

from streams.clock import SystemClock
from streams.settings import Deployment
from streams.worker.lookout import Lookout


class Broken:
    """A log whose answer cannot be read."""

    asked = 0

    async def watermarks(self, _: Any) -> Any:
        self.asked += 1
        raise ValueError


async def test_a_bug_in_a_look_does_not_end_the_looking() -> None:
    source: Any = Broken()
    nothing: Any = None
    lookout = Lookout(source, nothing, Deployment(), nothing, nothing, list, lambda: {0: nothing}, SystemClock())
    looking = asyncio.create_task(lookout.run())
    await asyncio.sleep(0.05)
    assert source.asked == 1
    assert not looking.done()
    looking.cancel()

"""The state of each partition as the doctor looks at it."""

from streams.erasure_settings import ERASURE_KEY
from streams.operations.doctor.checked import Checked, of_findings, or_right
from streams.operations.provision import state_findings
from streams.operations.servers import Servers
from streams.store.erasure_check import check_erasure_keys
from streams.store.erasure_keys import MAKE_ONE
from streams.store.redis import RedisStore


async def check_state(servers: Servers) -> list[Checked]:
    """Hold the state of every partition against the log. Raises NotReachable, Unanswered."""

    async def one(partition: int, store: RedisStore) -> list[Checked]:
        return of_findings("state", await state_findings(partition, servers.log, store, servers.deployment))

    found = [each for several in await servers.in_each(one) for each in several]
    found = or_right(found, "state", "state of each partition", "it goes with the log")
    return [*found, *await _erasure_keys(servers)]


async def _erasure_keys(servers: Servers) -> list[Checked]:
    """Hold the erasure keys of this process against those that named somebody. Raises Unanswered."""
    keys, partitions = servers.erasure_keys, servers.deployment.partitions
    wrong = of_findings("state", await check_erasure_keys(servers.store, partitions, keys))
    if wrong or keys:
        return or_right(wrong, "state", ERASURE_KEY, "it is set; erased people are known by a hash of their name")
    said = "it is not set, so Redis keeps the names of erased people"
    return [Checked("state", ERASURE_KEY, "advice", said, f"set it, or {ERASURE_KEY}_FILE: {MAKE_ONE}")]

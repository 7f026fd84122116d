"""The state of each partition as the doctor looks at it."""

from streams.operations.doctor.checked import Checked, of_findings, or_right
from streams.operations.provision import state_findings
from streams.operations.servers import Servers
from streams.store.redis import RedisStore


async def check_state(servers: Servers) -> list[Checked]:
    """Hold the state of every partition against the log. Raises NotReachable, Unanswered."""

    async def one(partition: int, store: RedisStore) -> list[Checked]:
        return of_findings("state", await state_findings(partition, servers.log, store, servers.deployment))

    found = [each for several in await servers.in_each(one) for each in several]
    return or_right(found, "state", "state of each partition", "it goes with the log")

"""The doctor's round: settings, Kafka, rights, Redis, topics, state, catalogue, each after what it stands on.

What cannot be looked at, because a server is away or refuses, is told as such, once, with the sentence that every other
command ends with.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from streams.operations.doctor.catalogue import check_catalogue
from streams.operations.doctor.checked import Area, Checked, Examined, of_findings
from streams.operations.doctor.kafka import check_brokers, check_transaction
from streams.operations.doctor.redis import check_redis
from streams.operations.doctor.rights import As, check_rights
from streams.operations.doctor.state import check_state
from streams.operations.doctor.topics import check_retention, check_topics
from streams.operations.errors import OperationError
from streams.operations.servers import FAULTS, Servers, explained
from streams.operations.settings import misspelt
from streams.settings import Deployment
from streams.wire.staying import judge_backups

Check: TypeAlias = Callable[[Servers], Awaitable[list[Checked]]]


async def examine(servers: Servers, whose: As | None = None, *, write: bool = True) -> Examined:
    """Look at everything. `write` False: no transaction is tried. Raises nothing that a server did."""
    whose = whose or As()
    checked = _settings(servers.deployment)
    kafka = await _area(servers, "kafka", "Kafka", _brokers)
    rights = await _after(servers, "rights", "rights in Kafka", lambda to: check_rights(to, whose), kafka)
    checked += [*kafka, *rights]
    if whose.role not in (None, "worker", "operator"):
        # the others have no business with Redis, and with no topic but their own
        return Examined(tuple(checked))
    redis = await _area(servers, "redis", "Redis", check_redis)
    topics = await _after(servers, "topics", "topics", _topics, kafka)
    checked += [*redis, *topics]
    if write:
        checked += await _after(servers, "kafka", "transactions", check_transaction, kafka, rights, topics)
    checked += await _after(servers, "state", "state of each partition", check_state, redis, kafka, topics)
    checked += await _after(servers, "topics", "retention of the input", check_retention, redis, kafka, topics)
    checked += await _after(servers, "catalogue", "catalogue in force", check_catalogue, kafka, topics)
    return Examined(tuple(checked))


async def _after(servers: Servers, area: Area, name: str, check: Check, *before: list[Checked]) -> list[Checked]:
    """Look at one thing, unless something that it stands on is away or wrong."""
    if any(each.outcome in ("away", "wrong") for found in before for each in found):
        return [Checked(area, name, "unknown", "mend the lines above first: this cannot be looked at before")]
    return await _area(servers, area, name, check)


def _settings(deployment: Deployment) -> list[Checked]:
    """Look at the environment; settings that are wrong have ended the command already."""
    wrong = of_findings("settings", judge_backups(deployment))
    wrong += [Checked("settings", each.name, "advice", str(each), "mend or unset it") for each in misspelt()]
    return wrong or [Checked("settings", "settings", "right", "they can be read, and no SEGUE_ variable is misspelt")]


async def _brokers(servers: Servers) -> list[Checked]:
    async with servers.cluster() as cluster:
        return await check_brokers(servers, cluster)


async def _topics(servers: Servers) -> list[Checked]:
    async with servers.cluster() as cluster:
        return await check_topics(servers, cluster)


async def _area(servers: Servers, area: Area, name: str, check: Check) -> list[Checked]:
    """Look at one thing. A server that is away, or refuses, is told in the words of every other command."""
    try:
        return await check(servers)
    except FAULTS as error:
        wrong: OperationError = await explained(servers, error)
    except OperationError as error:
        wrong = error
    return [Checked(area, name, "away", " ".join(wrong.lines))]

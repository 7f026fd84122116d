"""The Lua scripts keep the load's segments as Segue's engine does, in both designs."""

import json
from collections import defaultdict
from collections.abc import Iterable

import pytest
import redis.asyncio

from streams.embedded import ValkeyServer
from tests.benchmarks.load.plan import make_plan
from tests.benchmarks.peers.python.lua_design import Design
from tests.benchmarks.peers.python.lua_profile import FunctionAnEvent
from tests.benchmarks.peers.python.lua_rules import ScriptARule
from tests.benchmarks.peers.python.sample import BEGIN_MS, END_MS, make_sample, segues_changes
from tests.benchmarks.peers.python.segments import segments_of
from tests.benchmarks.peers.python.wire import Change, read_event
from tests.servers import unique

BATCH = 100


def told(changes: Iterable[Change]) -> dict[tuple[str, str], list[tuple[bool, int, str]]]:
    """Put changes by profile and segment, in their order: a script a rule keeps no other."""
    found = defaultdict(list)
    for one in changes:
        found[one.subject, one.segment].append((one.entered, one.at_ms, one.event))
    return dict(found)


@pytest.mark.parametrize("best", [True, False])
async def test_scripts_make_the_changes_of_segues_engine(valkey: ValkeyServer, best: bool) -> None:
    plan, arrived = make_plan(60), make_sample(30, 600, BEGIN_MS)
    plain, name = json.loads(plan.json()), unique("lua")
    client = redis.asyncio.Redis.from_url(valkey.redis_url)
    segments = segments_of(plain)
    design: Design = FunctionAnEvent(client, name, plain, segments) if best else ScriptARule(client, name, segments)
    await design.open()
    changes, wakes_ms = [], 0
    for place in range(0, len(arrived), BATCH):
        batch = [(read_event(made.value), r_ms) for made, r_ms in arrived[place : place + BATCH]]
        found = await design.apply(0, batch, wakes_ms)
        await design.published(0, len(found))
        changes += found
        wakes_ms = batch[-1][1] - 1
    while found := await design.apply(0, [], END_MS):
        await design.published(0, len(found))
        changes += found
    assert await client.zcount(f"{name}:wakes:0", "-inf", END_MS) == 0
    await client.aclose()
    assert told(changes) == told(segues_changes(plan, arrived, END_MS))


async def test_a_change_that_was_not_published_is_handed_out_again(valkey: ValkeyServer) -> None:
    plain, name = json.loads(make_plan(60).json()), unique("lua")
    client = redis.asyncio.Redis.from_url(valkey.redis_url)
    design = FunctionAnEvent(client, name, plain, segments_of(plain))
    await design.open()
    batch = [(read_event(made.value), r_ms) for made, r_ms in make_sample(30, 100, BEGIN_MS)[:BATCH]]
    found = await design.apply(0, batch, 0)
    again = await design.apply(0, batch, 0)
    await client.aclose()
    assert found
    assert again == found

"""A partition that refuses too many records is held: over restarts, until the log is calm or a person resumes it."""

from rules.ground.partitioning import partition_of
from streams.intake.bad_input import BadInputLimits
from streams.partition.runner import TenureEnd
from streams.records import OutRecord
from streams.wire.maker import RecordMaker
from tests.streams.partition.test_runner import FOREVER_IN, world_with
from tests.streams.world import DEAD, EVENTS, OUT, Worker, World, catalogue

CALM_MS = 60_000
LIMITS = BadInputLimits(0.1, 100, CALM_MS)


def garbage(world: World, number: int, partition: int = 0) -> None:
    for _ in range(number):
        world.broker.append(OutRecord(EVENTS, partition, b"hcp:1", b"garbage"))


async def held(world: World, *partitions: int) -> Worker:
    worker = await Worker(world, batch=2, bad_input=LIMITS).start(*partitions)
    await world.until(lambda: worker.status[0].state == "held", 30_000)
    return worker


async def test_a_partition_that_refuses_too_much_is_held_and_the_others_go_on() -> None:
    world = await world_with(FOREVER_IN, partitions=2)
    garbage(world, 40)
    worker = await held(world, 0, 1)
    assert worker.applied() < world.end()
    before = len(world.out(DEAD))
    assert 11 <= before < 40
    assert worker.status[0].held.startswith(f"{before} of the last 100 records were refused: not_json {before}")
    subject = next(each for each in map("hcp:{}".format, range(99)) if partition_of(each.encode(), 2) == 1)
    world.send(subject, partition=1)
    await world.until(lambda: len(world.out(OUT, 1)) == 1)
    await world.pass_time(CALM_MS / 2)
    assert worker.status[0].state == "held"
    assert len(world.out(DEAD)) == before
    assert await worker.release() == [TenureEnd.RELEASED] * 2


async def test_a_hold_survives_a_restart_and_a_kill_and_nothing_more_is_refused() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    first = await held(world, 0)
    refused = len(world.out(DEAD))
    await first.release()
    second = await held(world, 0)
    assert len(world.out(DEAD)) == refused
    assert second.status[0].refused_reasons == {"not_json": refused}
    await second.kill()
    third = await held(world, 0)
    assert len(world.out(DEAD)) == refused
    await third.release()


async def test_a_held_partition_goes_on_once_the_log_is_calm_and_refuses_what_it_pardoned() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    worker = await held(world, 0)
    for _ in range(3):
        await world.pass_time(CALM_MS / 2)
        garbage(world, 1)
    assert worker.status[0].held
    world.send("hcp:2")
    await world.pass_time(CALM_MS * 1.1)
    await world.until(lambda: len(world.out(DEAD)) == 43, 30_000)
    await world.until(lambda: len(world.out()) == 1)
    assert worker.status[0].state == "running"
    assert world.out() == world.expected()
    await worker.release()


async def test_a_held_partition_goes_on_at_once_where_a_backlog_ends_well() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    world.advance(2 * CALM_MS)
    for n in range(20):
        world.send(f"hcp:{n}")
    worker = await Worker(world, batch=2, bad_input=LIMITS).start(0)
    await world.until(lambda: len(world.out()) == 20, 10_000)
    assert len(world.out(DEAD)) == 40
    await worker.release()


async def test_a_resume_lets_it_go_on_at_once_and_pardons_what_stood_before_it_only() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    worker = await held(world, 0)
    resume(world)
    await world.until(lambda: len(world.out(DEAD)) == 40, 10_000)
    assert worker.status[0].state == "running"
    garbage(world, 40)
    await world.until(lambda: worker.status[0].state == "held", 10_000)
    assert len(world.out(DEAD)) < 80
    await worker.release()


async def test_a_resume_holds_though_no_worker_is_alive_and_over_a_restart_before_the_pardoned_end() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    worker = await held(world, 0)
    await worker.kill()
    resume(world)
    points: list[str] = []
    second = await Worker(world, batch=2, bad_input=LIMITS, on_point=points.append).start(0)
    await world.until(lambda: points.count("step") > 10, 10_000)
    await second.kill()
    third = await Worker(world, batch=2, bad_input=LIMITS).start(0)
    await world.until(lambda: len(world.out(DEAD)) == 40, 10_000)
    assert third.status[0].state == "running"
    await third.release()


async def test_a_catalogue_that_declares_what_was_undeclared_calms_the_log() -> None:
    world = await world_with(FOREVER_IN)
    for n in range(40):
        world.send(f"hcp:{n}", "portal.new")
    worker = await held(world, 0)
    world.cut(catalogue(FOREVER_IN, events="  portal.new: {}\n"))
    for _ in range(5):
        world.send("hcp:9", "portal.new")
        await world.pass_time(CALM_MS / 4)
    await world.until(lambda: worker.status[0].state == "running", 10_000)
    await world.until(lambda: worker.applied() >= world.end())
    assert len(world.out(DEAD)) == 40
    await worker.release()


async def test_a_held_partition_takes_no_timers_and_they_fire_at_their_instants_later() -> None:
    world = await world_with("brief|enter: {event: portal.login, within: 10s}")
    world.send("hcp:7")
    garbage(world, 40)
    worker = await held(world, 0)
    await world.until(lambda: len(world.out()) == 1)
    await world.pass_time(30_000)
    assert worker.status[0].ticks == 0
    assert len(world.out()) == 1
    resume(world)
    await world.until(lambda: len(world.out()) == 2, 30_000)
    assert world.out() == world.expected()
    await worker.release()


async def test_a_store_that_goes_back_while_held_is_replayed_and_held_again() -> None:
    world = await world_with(FOREVER_IN)
    garbage(world, 40)
    worker = await held(world, 0)
    await world.pass_time(3_000)
    refused = len(world.out(DEAD))
    world.server.roll_back(0, 1)
    await world.until(lambda: worker.status[0].gaps == 1, 10_000)
    await world.until(lambda: worker.status[0].state == "held", 10_000)
    assert len(world.out(DEAD)) == refused
    await worker.release()


def resume(world: World) -> None:
    world.broker.append(RecordMaker(world.deployment).resume(0, "someone", "looked at it"))

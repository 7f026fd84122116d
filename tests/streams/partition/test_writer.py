"""Slices are begun at a boundary, packed in portions, and begun at different times by the partitions of a worker."""

import pytest

from streams.partition import writer
from streams.partition.runner import TenureEnd
from tests.streams.world import Worker, World, catalogue

VISITORS = "visitors|enter: {event: portal.login, count: {at_least: 2}, within: 1h}"
"""In with two logins within an hour."""


@pytest.mark.parametrize("portion", [1, 3])
async def test_a_slice_that_is_packed_in_portions_is_the_state_at_its_boundary(
    monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(writer, "PORTION", portion)
    world = await World(1).create()
    world.cut(catalogue(VISITORS))
    points: list[str] = []
    first = await Worker(world, on_point=points.append, batch=2).start(0)
    for n in range(60):
        world.advance(100)
        world.send(f"hcp:{n * 7 % 20}")
        await world.until(lambda: first.applied() >= world.end())
    await world.until(lambda: first.status[0].written_offset >= world.end())
    assert points.count("slice") > 1
    # another worker goes on from the written state, and what it brings equals what the records say
    await first.kill()
    second = await Worker(world).start(0)
    for n in range(20):
        world.send(f"hcp:{n}")
    await world.until(lambda: second.applied() >= world.end())
    assert await second.release() == [TenureEnd.RELEASED]
    assert world.out() == world.expected()


async def four_partitions() -> tuple[World, Worker, list[float]]:
    """Start a worker of four partitions; return also the instants at which it begins slices, as they come."""
    world = await World(4).create()
    began: list[float] = []
    worker = await Worker(world, on_point=lambda name: began.append(world.clock.ms) if name == "slice" else None).start(
        0, 1, 2, 3
    )
    for partition in range(4):
        world.cut(catalogue(VISITORS), partition)
    return world, worker, began


async def send_and_wait(world: World, worker: Worker, step_ms: int, times: int) -> None:
    """Send an event to each partition after each step, and wait until it is applied."""
    for n in range(times):
        world.advance(step_ms)
        for partition in range(4):
            world.send(f"hcp:{n % 20}", partition=partition)
        await world.until(lambda: all(worker.applied(one) >= world.end(one) for one in range(4)))


async def test_the_partitions_of_a_worker_begin_their_slices_at_different_times() -> None:
    world, worker, began = await four_partitions()
    await send_and_wait(world, worker, 50, 100)
    assert len(began) > 8
    # no instant has the slices of more than two of them
    assert max(began.count(instant) for instant in began) <= 2
    await worker.release()


async def test_they_keep_their_times_over_a_pause_and_when_all_begin_late() -> None:
    world, worker, began = await four_partitions()
    # each of these comes after a whole interval, so every partition begins a slice with it
    await send_and_wait(world, worker, 3_700, 3)
    began.clear()
    await send_and_wait(world, worker, 50, 100)
    assert max(began.count(instant) for instant in began) <= 2
    await worker.release()

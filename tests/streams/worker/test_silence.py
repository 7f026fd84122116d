"""A silent consumer is noticed, made to read again, and given up when that does not help."""

import pytest

from streams.intake.input import InputOffsets
from streams.worker.silence import EVERY_MS, SILENT_MAX, SILENT_MS, SilenceDetector
from tests.streams.world import EVENTS, MemoryInput, Worker, World, catalogue


class Deaf(MemoryInput):
    """An input that stopped reading at an offset, and reports the end offset it last heard."""

    heard_end: int | None = None

    def offsets(self, partition: int) -> InputOffsets:
        found = super().offsets(partition)
        return InputOffsets(found.next, self.heard_end)


async def watched(heard: str) -> tuple[World, Worker, SilenceDetector, list[str]]:
    world = await World().create()
    world.cut(catalogue("known|enter: {everyone: true}"))
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.applied() == 1)
    deaf = Deaf(world)
    deaf.position = {0: 1}
    deaf.heard_end = 1 if heard == "nothing" else 2
    given_up: list[str] = []
    from streams.worker.status import WorkerStatus

    watch = SilenceDetector(
        worker.log, EVENTS, deaf, world.clock, WorkerStatus("g1", 0, {0: worker.status[0]}), given_up.append
    )
    return world, worker, watch, given_up


async def test_a_record_that_has_just_come_is_no_silence() -> None:
    world, worker, watch, given_up = await watched("nothing")
    await look(world, worker, watch, 100)
    world.send("hcp:1")
    world.inputs.clear()
    await look(world, worker, watch, 1)
    assert (watch.status.silent, given_up) == ("", [])
    world.inputs.append(worker.input)
    await worker.kill()


async def look(world: World, worker: Worker, watch: SilenceDetector, times: int) -> None:
    for _ in range(times):
        world.clock.advance_to(world.clock.ms + EVERY_MS)
        await watch.look(worker.runners)


async def test_an_idle_consumer_at_the_end_is_never_disturbed() -> None:
    world, worker, watch, given_up = await watched("nothing")
    await look(world, worker, watch, 100)
    assert given_up == []
    await worker.kill()


@pytest.mark.parametrize("heard", ["nothing", "the end"])
async def test_a_silent_one_is_given_up_only_if_it_does_not_even_hear_of_the_end(heard: str) -> None:
    world, worker, watch, given_up = await watched(heard)
    world.send("hcp:1")
    # the runner's own input delivers no more, so the runner has seen nothing
    world.inputs.clear()
    await look(world, worker, watch, 30_000 // EVERY_MS - 1)
    # within 30 s the silence is reported, and the worker is not ready
    assert ("nothing was read" in watch.status.silent) == (heard == "nothing")
    assert watch.status.as_json(0)["silent"] == watch.status.silent
    await look(world, worker, watch, (SILENT_MAX + 3) * (SILENT_MS // EVERY_MS + 1))
    assert bool(given_up) == (heard == "nothing")
    await look(world, worker, watch, 1)
    world.inputs.append(worker.input)
    await worker.kill()

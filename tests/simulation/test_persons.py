"""Links and erasures across partitions under every fault; and what would be lost is noticed."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import pytest

from rules.engine.own import OwnRecords
from rules.engine.past import take_in
from rules.engine.persons import remote
from rules.engine.persons.effects import ERASED_TYPE, FACT_TYPE, WITHDRAWN_TYPE, Effect, _Sealer
from rules.engine.persons.steps import At
from rules.engine.profile import Profile
from rules.engine.step import look_again
from rules.ground.event import Event
from rules.ground.partitioning import partition_of
from streams.records import OutRecord
from streams.wire.maker import RecordMaker
from tests.models.log import MemoryRing
from tests.simulation.loop import run
from tests.simulation.persons import PersonsRun, check, persons
from tests.simulation.seeds import fails_at_some_seed, quiet
from tests.simulation.steps import ALIAS, END, StepRun
from tests.simulation.storms import PARTITIONS
from tests.streams.world import EVENTS, OUT

SEEDS = 24
BLOCK = 8
STEPS_MIN, STEPS_MAX = 8, 200
"""Requests from the link to what it brings: fewer, and little was tried; more, and something goes round."""
TRIED_MAX = 40
"""Seeds to try before a mutation counts as unnoticed."""
CAME = {
    *(
        "link",
        "unlink",
        "erase",
        "crossing",
        "kill",
        "roll_back",
        "rebalance",
        "zombie",
        "cut_and_fill",
        "effect",
        "merged +",
    ),
    *("piece", "ring", "came_round", "link_to_erased", "erased_fact"),
    *("links crossing", "links over a cut", "links in a fill", "links in a rebalance", "made again", "taken again"),
    *("began anew",),
}


def ran(seed: int) -> Counter[str]:
    random.seed(seed)
    return run(persons(seed))


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_whatever_happens_a_person_is_one(first: int) -> None:
    with quiet():
        for seed in range(first, first + BLOCK):
            ran(seed)


def test_the_runs_bring_what_they_are_for() -> None:
    came: Counter[str] = Counter()
    with quiet():
        for seed in sorted(range(SEEDS), key=lambda seed: seed % 4 != 3):  # those with cuts first
            came += ran(seed)
            if came.keys() >= CAME:
                return
    pytest.fail(f"{SEEDS} seeds never brought {CAME - came.keys()}")


@pytest.mark.parametrize(
    "roll_back", [None, partition_of(ALIAS.encode(), PARTITIONS), partition_of(END.encode(), PARTITIONS)]
)
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_worker_may_die_at_each_step_from_a_link_to_what_it_brings(carried_out: bool, roll_back: int | None) -> None:
    with quiet():
        for at in range(1, STEPS_MAX):
            if not run(StepRun(7, at, carried_out=carried_out).to_the_end(roll_back)):
                break
        else:
            pytest.fail("the worker was never through")
    assert at > STEPS_MIN


async def filled() -> None:
    """Fill what a cut brought in, where both subjects of a person have a past. Then other workers go on."""
    run = PersonsRun(1)
    await run.begin()
    for subject in (ALIAS, ALIAS, END, END, END):
        run.tell(subject, "b")
    run.tell(ALIAS, "identity.linked", {"canonical": END})
    await run.calm()
    run.world.advance(10)
    await run.cut()
    run.world.advance(10)
    await run.fill(fair=True)
    await run.calm()
    assert run.moves("seldom") == [(END, True)]
    await run.rebalance()  # a new owner knows of a profile what the store keeps
    run.world.advance(10)
    run.tell(END, "a", {"color": "red"})
    run.tell(END, "left")
    run.tell(END, "b")
    await run.calm()
    check(run)
    assert run.moves("seldom") == [(END, True)]
    await run.end_in_order()


def test_history_of_a_person_stays_when_the_partition_moves() -> None:
    with quiet():
        run(filled())


def _lost(patch: pytest.MonkeyPatch) -> None:
    """Every seventh effect is never written."""
    made, count = RecordMaker.effect, itertools.count(1)

    def effect(self: RecordMaker, effect: Effect) -> OutRecord:
        record = made(self, effect)
        return record if next(count) % 7 else self.tick(record.partition)

    patch.setattr(RecordMaker, "effect", effect)


def _outside(patch: pytest.MonkeyPatch) -> None:
    """Effects are written before the transaction, not within it."""
    transaction = MemoryRing.transaction

    async def outside(self: MemoryRing, records: Sequence[OutRecord]) -> list[int]:
        for record in records:
            if record.topic == EVENTS:
                self._broker.append(record)
        return await transaction(self, [record for record in records if record.topic != EVENTS])

    patch.setattr(MemoryRing, "transaction", outside)


def _other_bytes(patch: pytest.MonkeyPatch) -> None:
    """An effect that is computed again has other bytes."""
    count = itertools.count(1)

    prefix = _Sealer.__init__

    def numbered(self: _Sealer, generation: str, *others: Any) -> None:
        prefix(self, f"{generation}-{next(count)}", *others)

    patch.setattr(_Sealer, "__init__", numbered)


def _twice(patch: pytest.MonkeyPatch) -> None:
    """Each contribution is written twice, so its target applies it twice."""
    transaction = MemoryRing.transaction

    async def again(self: MemoryRing, records: Sequence[OutRecord]) -> list[int]:
        brought = [each for each in records if b'"type":"segue.facts"' in (each.value or b"")]
        return (await transaction(self, [*records, *brought]))[: len(records)]

    patch.setattr(MemoryRing, "transaction", again)


def _late_exits(patch: pytest.MonkeyPatch) -> None:
    """Who leaves for a link does so in the transaction after that of the effects."""
    transaction = MemoryRing.transaction
    held: dict[int, list[OutRecord]] = {}

    async def late(self: MemoryRing, records: Sequence[OutRecord]) -> list[int]:
        waited = held.pop(id(self), [])
        out = [each for each in records if each.topic == OUT]
        leaves = [each for each in out if b'"exited"' in (each.value or b"") and b'"merged"' in (each.value or b"")]
        held[id(self)] = leaves
        offsets = await transaction(self, [*waited, *(each for each in records if each not in leaves)])
        return [-1] * len(records) if leaves or waited else offsets

    patch.setattr(MemoryRing, "transaction", late)


def _kept(patch: pytest.MonkeyPatch) -> None:
    """What a link brought stays when the link is taken back."""
    patch.setitem(remote._APPLY, WITHDRAWN_TYPE, lambda *_: None)  # noqa: SLF001


def _stays(patch: pytest.MonkeyPatch) -> None:
    """Facts that are told of an alias do not go on."""
    patch.setitem(remote._APPLY, FACT_TYPE, lambda *_: None)  # noqa: SLF001


def _only_named(patch: pytest.MonkeyPatch) -> None:
    """Erasures stay with the subject that was named."""
    patch.setitem(remote._APPLY, ERASED_TYPE, lambda *_: None)  # noqa: SLF001


def _beside(patch: pytest.MonkeyPatch) -> None:
    """History is known beside the parts of a profile, not in them: the store does not keep it."""

    def recall(self: OwnRecords, profile: Profile, facts: list[Event], cuts: Mapping[int, Set[str]], at: At) -> None:
        profiles = self._profiles
        profiles.bring_up(profile, at.r_ms, at.items)
        mask = take_in(profile, profiles.plan, facts, cuts, at.r_ms)
        look_again(profile, profiles.plan, mask, at.r_ms)
        profiles.moved(profile)

    patch.setattr(OwnRecords, "_recall", recall)


@pytest.mark.parametrize("mutation", [_lost, _outside, _other_bytes, _twice, _late_exits, _kept, _stays, _only_named])
def test_what_is_broken_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    if not fails_at_some_seed(ran, TRIED_MAX):
        pytest.fail(f"{TRIED_MAX} seeds held with {mutation.__doc__}")


def test_history_that_the_store_does_not_keep_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _beside(monkeypatch)
    with quiet(), pytest.raises(AssertionError, match=END):
        run(filled())

"""When `segue fill` says that a cut is filled: after the histories of all cuts of its instant."""

from collections.abc import Sequence

from streams.operations.fill import CutsOfOneInstant
from streams.operations.filling.filler import Filled
from streams.operations.filling.past import First
from streams.wire.fills import Fill, StoredFill

T = 1_000


class Told:
    """Keeps which cuts were ended together."""

    def __init__(self) -> None:
        self.ended: list[list[str]] = []

    async def end(self, partition: int, written: Sequence[tuple[StoredFill, Filled]]) -> None:
        self.ended.append([stored.cut for stored, _ in written])


def stored(cut: str) -> StoredFill:
    return StoredFill(cut, Fill(catalogue="c", before=None, offset=0), at_ms=0)


async def told(*cuts: tuple[str, int, int]) -> list[list[str]]:
    """Fill cuts, each (name, timestamp of its record, instant of the cut); return which were ended together."""
    filler = Told()
    ends = CutsOfOneInstant(filler, 0)
    for name, timestamp_ms, cut_ms in cuts:
        await ends.before(First(0, timestamp_ms))
        await ends.add(stored(name), Filled(0, "c", cut_ms))
    await ends.before(None)
    return filler.ended


async def test_cuts_of_one_instant_are_ended_together() -> None:
    assert await told(("a", T, T), ("b", T, T), ("c", T + 1, T + 1)) == [["a", "b"], ["c"]]


async def test_a_cut_whose_timestamp_went_back_has_the_instant_of_the_clock() -> None:
    assert await told(("a", T, T), ("b", T - 5, T)) == [["a", "b"]]
    assert await told(("a", T, T), ("b", T - 5, T + 7)) == [["a"], ["b"]]


async def test_where_nothing_was_written_nothing_is_ended() -> None:
    assert await told() == []

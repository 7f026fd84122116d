"""Which profiles an owner keeps in memory."""

from typing import Any, cast

from streams.partition.store_supplies import StoreSupplies


class Engine:
    """Keeps the profiles that it needs soon, and counts how often it is asked."""

    def __init__(self, needed: set[str]) -> None:
        self.needed = needed
        self.asked: list[str] = []
        self.forgotten: list[str] = []

    def forget(self, subject: str) -> bool:
        self.asked.append(subject)
        if subject not in self.needed:
            self.forgotten.append(subject)
        return subject not in self.needed


class Unwritten:
    """Holds the subjects of slices that are not written."""

    def __init__(self, held: set[str]) -> None:
        self.held = held

    def holds(self, subject: str) -> bool:
        return subject in self.held


async def _never(digest: str) -> Any:
    raise AssertionError(digest)


def test_what_the_engine_needs_soon_is_asked_for_once_and_again_when_it_was_written() -> None:
    engine, unwritten = Engine({"b", "c"}), Unwritten({"d"})
    supplies = StoreSupplies(cast("Any", engine), cast("Any", unwritten), _never)
    supplies.written(["a", "b", "c", "d", "e", "f"])
    for _ in range(3):
        supplies.evict(1)
    assert engine.forgotten == ["a", "e"]
    assert engine.asked == ["a", "b", "c", "e"], "each was asked for once; of what is not written nobody asks"
    engine.needed.clear()
    unwritten.held.clear()
    supplies.written(["b", "c", "d"])
    supplies.evict(1)
    assert engine.forgotten == ["a", "e", "f", "b", "c"]

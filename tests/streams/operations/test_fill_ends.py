"""Which cuts `segue fill` says to be filled together: those of one instant in one partition."""

from streams.operations.fill import of_one_instant
from streams.operations.filling.filler import Filled
from streams.wire.fills import Fill, StoredFill

T = 1_000


def ended(*cuts: tuple[str, int, int]) -> list[list[str]]:
    """Group cuts, each (name, partition, instant); return the names."""
    written = [
        (StoredFill(name, Fill(catalogue="c", before=None, offset=0), at_ms=0), Filled(partition, "c", cut_ms))
        for name, partition, cut_ms in cuts
    ]
    return [[stored.cut for stored, _ in group] for group in of_one_instant(written)]


def test_cuts_of_one_instant_are_ended_together() -> None:
    assert ended(("a", 0, T), ("b", 0, T), ("c", 0, T + 1)) == [["a", "b"], ["c"]]


def test_cuts_of_one_instant_in_two_partitions_are_ended_each_in_its_own() -> None:
    assert ended(("a", 0, T), ("b", 1, T)) == [["a"], ["b"]]


def test_where_nothing_was_written_nothing_is_ended() -> None:
    assert ended() == []

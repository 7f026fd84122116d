"""How long the broker gathers records: by how much of a core the worker uses."""

import pytest

from streams.intake.gathering import BUSY, GATHER_BUSY_MS, GATHER_MS, LOOK_EVERY_S, SPARE, Gathering


class Clocks:
    """Clocks that are moved by hand."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 100.0
        self.gathering = Gathering(lambda: self.wall_s, lambda: self.cpu_s)

    def pass_s(self, length_s: float, share: float) -> int:
        self.wall_s += length_s
        self.cpu_s += length_s * share
        return self.gathering.wait_ms()


@pytest.mark.parametrize(
    ("share", "wait_ms"),
    [
        (0, GATHER_MS),
        (SPARE, GATHER_MS),
        ((SPARE + BUSY) / 2, (GATHER_MS + GATHER_BUSY_MS) // 2),
        (BUSY, GATHER_BUSY_MS),
        (1, GATHER_BUSY_MS),
        (1.3, GATHER_BUSY_MS),
    ],
)
def test_the_busier_the_longer(share: float, wait_ms: int) -> None:
    assert Clocks().pass_s(2 * LOOK_EVERY_S, share) == wait_ms


def test_it_looks_now_and_then_and_forgets_what_was_before() -> None:
    clocks = Clocks()
    assert clocks.gathering.wait_ms() == GATHER_MS
    assert clocks.pass_s(LOOK_EVERY_S * 0.9, 1) == GATHER_MS
    assert clocks.pass_s(LOOK_EVERY_S * 0.2, 1) == GATHER_BUSY_MS
    assert clocks.pass_s(LOOK_EVERY_S * 0.9, 0) == GATHER_BUSY_MS
    assert clocks.pass_s(LOOK_EVERY_S * 0.2, 0) == GATHER_MS

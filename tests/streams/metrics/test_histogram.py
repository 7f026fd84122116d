"""The histogram: many ages at a time count as one by one."""

import random

from streams.metrics.histogram import LATENCY_S, Histogram


def test_many_ages_at_a_time_count_as_one_by_one() -> None:
    chance, now_ms = random.Random(7), 1_700_000_000_000
    for size in (0, 1, 2, 500):
        stamps = [now_ms - int(chance.choice([0, 5, 10, -3, 60_000, chance.expovariate(1 / 400)])) for _ in range(size)]
        together, alone = Histogram(LATENCY_S), Histogram(LATENCY_S)
        together.observe_ages(stamps, now_ms)
        for stamp in stamps:
            alone.observe((now_ms - stamp) / 1000)
        assert together.buckets() == alone.buckets()
        assert abs(together.sum - alone.sum) < 1e-6


def test_a_bound_holds_its_own_value_and_buckets_add_up() -> None:
    counted = Histogram((0.01, 1.0))
    for value in (0.01, 0.011, 1.0, 5.0, -1.0):
        counted.observe(value)
    assert counted.buckets() == [("0.01", 2.0), ("1", 4.0), ("+Inf", 5.0)]

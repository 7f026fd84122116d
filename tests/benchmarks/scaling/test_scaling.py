"""The model of scaling: its sums, its arithmetic, the spread of partitions over nodes, the simulated queues."""

import json
import math
from dataclasses import replace

import pytest

from streams.store.keys import SLOTS, hash_tag, slot
from tests.benchmarks.scaling import parts
from tests.benchmarks.scaling.__main__ import demand_of, parser, table
from tests.benchmarks.scaling.model import GIB, Demand, advised_partitions, plan
from tests.benchmarks.scaling.page import PAGE, redrawn
from tests.benchmarks.scaling.parts import Limits, Part, Price, interpolated
from tests.benchmarks.scaling.predict import predict
from tests.benchmarks.scaling.queueing import Setting, simulate
from tests.benchmarks.scaling.slots import fullest, plain, spread
from tests.benchmarks.scaling.work import work
from tests.benchmarks.scaling.zipf import Zipf

SMALL = Demand(events_per_second=1_000, profiles=1_000_000, exponent=0.0, held_share=1.0)


def test_every_part_and_price_says_its_unit_its_source_and_its_date() -> None:
    found = [value for value in vars(parts).values() if isinstance(value, (Part, Price))]
    assert len(found) > 20
    assert all(each.value > 0 and each.unit and each.source and each.date.startswith("20") for each in found)


@pytest.mark.parametrize("exponent", [0.0, 0.8, 1.0, 1.2])
def test_the_bands_give_the_sums_of_the_law(exponent: float) -> None:
    profiles, events = 20_000, 30_000
    weights = [rank**-exponent for rank in range(1, profiles + 1)]
    total = sum(weights)
    exact = sum(-math.expm1(-weight / total * events) for weight in weights)
    law = Zipf(profiles, exponent)
    assert sum(ranks for ranks, _ in law.bands) == profiles
    assert sum(ranks * share for ranks, share in law.bands) == pytest.approx(1)
    assert law.hottest == pytest.approx(weights[0] / total, rel=1e-3)
    assert law.distinct(events) == pytest.approx(exact, rel=1e-3)


def test_a_memory_for_all_misses_nothing_and_one_for_none_misses_all() -> None:
    law = Zipf(1_000_000, 0.8)
    assert law.miss_ratio(1_000_000) == 0
    assert law.miss_ratio(0) == pytest.approx(1)
    ratios = [law.miss_ratio(kept) for kept in (1_000, 10_000, 100_000, 900_000)]
    assert ratios == sorted(ratios, reverse=True)
    # uniform: a tenth kept is a tenth met
    assert Zipf(1_000_000, 0.0).miss_ratio(100_000) == pytest.approx(0.9, abs=0.01)


def test_a_curve_goes_through_its_points_and_ends_where_it_was_measured() -> None:
    curve = [(1, 10.0), (100, 1_000.0)]
    assert [interpolated(curve, at) for at in (0.5, 1, 10, 100, 1e9)] == pytest.approx([10, 10, 100, 1_000, 1_000])
    sizes = [size for _, size in parts.PACKED]
    assert sizes == sorted(sizes)


def test_an_event_costs_what_its_parts_cost() -> None:
    # uniform, nothing kept, a slice of one event: every event is one read and one write
    each = work(Zipf(1_000_000, 0.0), slice_events=1, kept=0, held_events=5_000_000)
    size_kb = parts.PACKED[0][1] / 1_000
    assert (each.reads, each.writes) == pytest.approx((1, 1), rel=1e-3)
    read = parts.WORKER_READ.value + size_kb * parts.WORKER_READ_KB.value
    write = parts.WORKER_WRITE.value + size_kb * parts.WORKER_WRITE_KB.value
    assert each.worker_us == pytest.approx(parts.WORKER_EVENT.value + read + write, rel=1e-3)


def test_a_plan_holds_its_limits_or_says_that_it_cannot() -> None:
    for exponent in (0.0, 0.8, 1.0):
        for rate in (1_000, 50_000, 1_000_000):
            found = plan(Demand(events_per_second=rate, profiles=rate * 300, exponent=exponent))
            limits = found.demand.limits
            by_name = {need.name: need for need in found.needs}
            assert by_name["workers"].load <= limits.worker_load + 1e-9
            assert by_name["broker CPU"].load <= limits.broker_load + 1e-9
            assert by_name["broker partitions"].load <= 1
            assert found.shards == 1 or found.shards >= 3
            assert found.brokers >= found.demand.replication
            assert found.partitions >= min(4_096, found.workers)
            assert found.possible == all(need.load <= 1 for need in found.needs)


def test_the_bill_and_the_memory_are_the_products_that_they_say() -> None:
    found = plan(SMALL)
    held = 1_000 * 86_400 * 30 / 1_000_000
    size = interpolated(parts.PACKED, held) + parts.PROFILE_EXTRA.value
    assert found.state_gib == pytest.approx(1_000_000 * size / GIB, rel=1e-3)
    log = 1_000 * parts.EVENT_LOG_BYTES.value * 86_400 * 3 * 3
    assert found.log_tb == pytest.approx(log / 1e12)
    assert found.bill["disk"] == pytest.approx(log / 1e9 * parts.DISK_MONTH.value)
    assert found.bill["workers"] == pytest.approx(found.workers * 730 * parts.CORE_HOUR.value)


def test_more_of_everything_costs_more() -> None:
    before = plan(SMALL)
    for more in (
        replace(SMALL, events_per_second=2_000),
        replace(SMALL, replication=5),
        replace(SMALL, readers=10),
    ):
        assert sum(plan(more).bill.values()) > sum(before.bill.values())
    assert plan(replace(SMALL, core_speed=0.5)).workers > before.workers


def test_the_hottest_profile_bounds_a_deployment_of_any_size() -> None:
    found = plan(Demand(exponent=1.0, held_share=0.01))
    assert not found.possible
    assert found.first.name == "hottest partition"
    assert plan(Demand(exponent=0.0, held_share=0.001)).first.name not in ("hottest partition", "hottest profile")


def test_partitions_are_advised_for_workers_and_shards() -> None:
    assert advised_partitions(1, 1) == 8
    assert advised_partitions(20, 3) == 128
    assert advised_partitions(20, 60) == 512
    assert advised_partitions(9_999, 1) == 4_096


def test_a_take_over_waits_for_the_session_and_more() -> None:
    found = plan(Demand(events_per_second=10_000, profiles=1_000_000, session_s=6)).moves
    killed = found["worker killed: its partitions stand, s"]
    assert 6 < killed < 12
    assert found["worker added or stopped: every partition stands, s"] < killed - 6


@pytest.mark.parametrize("partitions", [120, 240, 960])
@pytest.mark.parametrize("shards", [3, 6, 12, 60])
def test_a_multiple_of_the_nodes_spreads_evenly(partitions: int, shards: int) -> None:
    assert fullest(spread(partitions, shards)) == 1
    assert fullest(spread(partitions, shards, plain)) > 1


@pytest.mark.parametrize("partitions", [7, 8, 64, 333, 1_024])
def test_a_node_has_at_most_two_partitions_more_than_its_share(partitions: int) -> None:
    for shards in (3, 6, 12, 60):
        assert max(spread(partitions, shards)) <= math.floor(partitions / shards) + 2
    assert len({slot(hash_tag(n, partitions)) for n in range(partitions)}) == partitions <= SLOTS


def test_a_prediction_is_the_work_of_its_events() -> None:
    said = predict(events=80_000, seconds=8, profiles=20_000, partitions=12, kept=8_000, history_events=40_000)
    more = predict(events=160_000, seconds=16, profiles=20_000, partitions=12, kept=8_000, history_events=40_000)
    assert said.log_bytes * 2 == more.log_bytes
    assert said.keys_read < more.keys_read < 2 * said.keys_read
    kept = predict(events=80_000, seconds=8, profiles=20_000, partitions=12, kept=99_999, history_events=40_000)
    assert kept.keys_read == pytest.approx(Zipf(20_000, 1.0).distinct(80_000))


QUEUES = Setting(workers=2, partitions=8, seconds=3, profiles=5_000)


def test_the_simulation_repeats_itself() -> None:
    assert simulate(QUEUES) == simulate(QUEUES)


def test_lateness_grows_with_load_pauses_and_outages() -> None:
    before = simulate(QUEUES)
    assert before["left"] < before["events_per_second"]
    for worse in (
        replace(QUEUES, load=0.9),
        replace(QUEUES, outage_s=0.5),
        replace(QUEUES, transaction_ms=40.0),
        replace(QUEUES, spread_checkpoints=False),
    ):
        assert simulate(worse)["p99_ms"] > before["p99_ms"], worse


def test_more_load_than_workers_leaves_a_growing_rest() -> None:
    over = replace(QUEUES, load=1.3)
    assert simulate(over)["left"] > 0.2 * simulate(over)["events_per_second"]


def test_the_command_takes_every_field_and_prints_a_table_and_json() -> None:
    options = parser().parse_args(["--events-per-second", "5000", "--profiles", "1000000", "--worker-load", "0.5"])
    demand = demand_of(options)
    assert demand == Demand(events_per_second=5_000, profiles=1_000_000, limits=Limits(worker_load=0.5))
    text = table(plan(demand))
    assert "saturates first: " in text
    assert all(f"| {need.name} |" in text for need in plan(demand).needs)
    json.dumps(plan(demand).bill)


def test_the_page_shows_what_the_model_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert redrawn(text) == text, "run `python -m tests.benchmarks.scaling.page`"

"""The faults as a table: number, name, size in CI, size of the full run, seconds in CI."""

from typing import Final

from tests.faults.families import (
    brokers,
    claims,
    clocks,
    cluster,
    definitions,
    failovers,
    filling,
    inputs,
    kills,
    life,
    mixture,
    persons,
    refusals,
    rollbacks,
    slow,
    stores,
)
from tests.faults.fault import Fault, Size

_REPLAYED: Final = Size(1, 1, 2_000)
_REPLAYED_FULL: Final = Size(1, 1, 50_000)
_PROGRESS: Final = Size(1, 1, 20_000)
_PROGRESS_FULL: Final = Size(1, 1, 10_000_000)
FAULTS: Final = (
    Fault("1", "kill -9 at every point", kills.killed_at_every_point, Size(2), Size(25), 100),
    Fault("2a", "Redis kill -9, restart from its AOF", stores.died_and_came_back, Size(2, 2), Size(10, 3), 25),
    Fault("2b", "Redis restored from a backup", stores.restored_from_backup, Size(2, 1, 600), Size(10, 3, 2_000), 25),
    Fault("2c", "Redis emptied: says so; rebuild", stores.emptied_and_rebuilt, Size(2, 1, 800), Size(10, 1, 4_000), 30),
    Fault("3", "Redis loses its last commits", stores.lost_its_last_commits, Size(2, 3), Size(10, 10), 35),
    Fault("4", "failover to a replica that is behind", stores.failed_over, Size(2, 1), Size(6, 5), 35),
    Fault("5", "store replies lost or late (calls)", stores.replies_lost, Size(1, 2_000), Size(10, 10_000), 50),
    Fault(
        "6", "broker restart, broker away", brokers.broker_away, Size(1, 2, seconds=60), Size(10, 2, seconds=60), 150
    ),
    Fault("7", "rebalance storm", kills.rebalance_storm, Size(1, 15), Size(5, 90), 50),
    Fault("8", "zombie", kills.zombie, Size(1, 3), Size(10, 5), 60),
    Fault("9", "poison", inputs.poison, Size(1, 1, 5_000), Size(1, 1, 50_000)),
    Fault("10", "repeated, reordered, late", inputs.repeated_and_late, Size(1, 1, 5_000), Size(1, 1, 100_000)),
    Fault("11", "producers' clocks off", inputs.producer_clocks, Size(1, 1, 2_000), Size(10, 1, 5_000), 30),
    Fault("11b", "a transaction goes wrong", brokers.transaction_goes_wrong, Size(1, 5), Size(10, 10), 50),
    Fault("11c", "broker's clock off", clocks.clock_off, Size(1, 1, 900), Size(10, 2, 2_000), 60),
    Fault("12", "hot key", inputs.hot_key, Size(1, 1, 10_000), Size(1, 1, 200_000), 45, alone=True),
    Fault("13", "wakes at one instant", inputs.wakes_at_once, Size(1, 1, 4_000), Size(1, 1, 100_000)),
    Fault("13b", "output broker slow", slow.slow_output, Size(1, seconds=20), Size(1, seconds=180), 70, alone=True),
    Fault("14", "Redis refuses to write", refusals.refuses, Size(1), Size(10), 50),
    Fault("15", "catalogue changed mid-stream", definitions.changed_mid_stream, Size(2), Size(50), 30),
    Fault("16", "full replay into a new generation", definitions.replayed_from_nothing, _REPLAYED, _REPLAYED_FULL, 50),
    Fault("17", "a Hypothesis machine that mixes them", mixture.mixed, Size(1, 100), Size(20, 100), 240),
    Fault("18", "handed over, markers delayed", cluster.handed_over_while_markers_wait, Size(1, 2), Size(4, 5), 70),
    Fault("19", "Redis rolled back in place", rollbacks.went_back_in_place, Size(1, 12, 300), Size(10, 20, 300), 90),
    Fault("20", "a write held, then late", rollbacks.held_back, Size(1, 12), Size(10, 20), 90),
    Fault("21", "EndTxn without reply, lost, late; kills", brokers.end_goes_astray, Size(1, 6), Size(10, 9), 70),
    Fault("22", "SIGSTOP at every claim step", kills.stopped_while_claiming, Size(1, 7), Size(20, 7), 90),
    Fault("22b", "claims that meet", claims.claims_that_meet, Size(1), Size(20), 110),
    Fault("23", "claim after many progress records", brokers.long_progress, _PROGRESS, _PROGRESS_FULL),
    Fault("24", "a consumer gone silent", slow.silent_consumer, Size(1, 1), Size(5, 2), 70),
    Fault("25", "a rolling restart under load", life.rolling_restart, Size(1), Size(5), 60, alone=True),
    Fault("27", "history filled in, interrupted", filling.interrupted, Size(4), Size(20), 70),
    Fault("28", "a cluster's primaries fail over", failovers.cluster_fails_over, Size(1), Size(6, 3), 60),
    Fault("29", "sentinels fail over", failovers.sentinels_fail_over, Size(1), Size(6, 3), 70),
    Fault("30a", "links: kill -9 at each step", persons.killed_at_each_step, Size(2, 12), Size(20, 12), 40),
    Fault("30b", "links: one partition goes back", persons.one_went_back, Size(1, 8), Size(10, 20), seldom=True),
    Fault("30c", "links: rebalances and cuts", persons.moved_and_cut, Size(1, 6), Size(10, 12), seldom=True),
    Fault("30d", "links: a transaction goes wrong", persons.ends_go_wrong, Size(1, 5), Size(10, 8), seldom=True),
    Fault("30e", "links while history is filled in", filling.interrupted_with_links, Size(4), Size(8), 70, seldom=True),
    Fault("30f", "links: zombie", persons.zombie_with_effects, Size(1, 4), Size(10, 11), 60, seldom=True),
    Fault("26", "a backlog", life.long_backlog, Size(1, 1, 20_000), Size(1, 1, 1_000_000), 40, alone=True),
)
"""Numbers are stable: results and decisions name them."""

BY_NUMBER: Final = {fault.number: fault for fault in FAULTS}


def chosen(numbers: list[str]) -> list[Fault]:
    """Return the faults with these numbers; `2` means 2a, 2b and 2c. Without a number: all. Raises KeyError."""
    if not numbers:
        return list(FAULTS)
    found = []
    for number in numbers:
        some = [fault for fault in FAULTS if fault.number == number or fault.number.rstrip("abcdef") == number]
        if not some:
            raise KeyError(number)
        found += [fault for fault in some if fault not in found]
    return found

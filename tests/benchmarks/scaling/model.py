"""The model: from a demand and measured parts to machines, the first thing that saturates, and a bill.

All rates are averages over a second. Parts are of one core of the machine that measured them; `core_speed` scales them.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from tests.benchmarks.scaling import parts
from tests.benchmarks.scaling.parts import Limits
from tests.benchmarks.scaling.work import Work, state_bytes, work
from tests.benchmarks.scaling.zipf import Zipf

FIXED_TOPICS: Final = 8
"""Topics with the input's partition count: events, dead letters, memberships and standing ones, both again restricted,
progress, owners."""
PARTITIONS_MAX: Final = 4_096
"""SEGUE_PARTITIONS takes no more."""
GIB: Final = 1 << 30
US: Final = 1e-6
DAY_S: Final = 86_400
WINDOW_DAYS: Final = 30
"""What the segments look back: the windows of the benchmark's catalogue."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for."""

    events_per_second: float = 1_000_000
    profiles: int = 300_000_000
    exponent: float = 0.8
    """Of Zipf's law: 1.0 is the benchmark's, 0 uniform."""
    held_share: float = 1.0
    """Of the events of 30 days: those that profiles hold. Below 1: events that no segment looks at."""
    change_share: float = 0.03
    """Membership changes an event."""
    channels: int = 3
    partitions: int = 0
    """0: as many as the model advises."""
    cached_a_worker: int = 200_000
    """SEGUE_PROFILES_CACHED_MAX."""
    checkpoint_s: float = 1.0
    session_s: float = 10.0
    retention_days: float = 3.0
    replication: int = 3
    store_replicas: int = 1
    readers: int = 3
    """Platforms that read the changes."""
    core_speed: float = 1.0
    """Of the core that will run it, against the measuring one."""
    limits: Limits = field(default_factory=Limits)

    @property
    def held_events(self) -> float:
        """Events of 30 days, over all profiles."""
        return self.events_per_second * DAY_S * WINDOW_DAYS * self.held_share


@dataclass(frozen=True, slots=True)
class Need:
    """One resource that the demand takes."""

    name: str
    amount: float
    unit: str
    pieces: int
    """How many workers, shards or brokers the limits ask for, for this resource alone; 0: more pieces do not help."""
    load: float
    """Of the most loaded piece once the plan stands, of its whole capacity. Above 1 the demand cannot be met."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model says."""

    demand: Demand
    work: Work
    partitions: int
    workers: int
    shards: int
    brokers: int
    state_gib: float
    log_tb: float
    needs: tuple[Need, ...]
    bill: dict[str, float]
    """US dollars a month."""
    moves: dict[str, float]
    """What a rebalance, a take-over and a move of state cost."""

    @property
    def first(self) -> Need:
        """What saturates first if the demand grows and the machines stay."""
        return max(self.needs, key=lambda need: need.load)

    @property
    def possible(self) -> bool:
        """Whether every piece can carry its load."""
        return all(need.load <= 1 for need in self.needs)


@dataclass(frozen=True, slots=True)
class _Workers:
    count: int
    work: Work
    capacity: float
    """Events a second of one worker in a drain."""


def _workers(demand: Demand, law: Zipf) -> _Workers:
    """Return how many workers the demand takes: their memory decides what is read, and that decides their number."""
    count, capacity, each = 1, 1.0, Work(1, 0, 1, 0)
    for _ in range(50):
        each = work(
            law,
            slice_events=demand.events_per_second * demand.checkpoint_s,
            kept=count * demand.cached_a_worker,
            held_events=demand.held_events,
        )
        capacity = demand.core_speed / (each.worker_us * US)
        wanted = math.ceil(demand.events_per_second / capacity / demand.limits.worker_load)
        if wanted == count:
            break
        count = wanted
    return _Workers(count, each, capacity)


def advised_partitions(workers: int, shards: int) -> int:
    """Return a power of two with at least four partitions a worker and eight a shard, at most 4,096."""
    return min(PARTITIONS_MAX, 1 << math.ceil(math.log2(max(8, 4 * workers, 8 * shards))))


def plan(demand: Demand) -> Plan:
    """Size everything for a demand."""
    limits, rate, law = demand.limits, demand.events_per_second, Zipf(demand.profiles, demand.exponent)
    found = _workers(demand, law)
    state = state_bytes(law, demand.held_events)
    store_cores = rate * found.work.store_us * US / demand.core_speed
    store_through = rate * (found.work.store_in_bytes * (1 + demand.store_replicas) + found.work.store_out_bytes)
    changes = rate * demand.change_share
    event_bytes, change_bytes = rate * parts.EVENT_LOG_BYTES.value, changes * parts.CHANGE_LOG_BYTES.value
    by = {
        "store memory": math.ceil(state / (limits.node_memory_gib * GIB * limits.memory_load)),
        "store CPU": math.ceil(store_cores / limits.store_load),
        "store network": math.ceil(store_through / (limits.network_bytes * limits.network_load)),
    }
    shards = max(by.values())
    # a cluster has at least three primaries
    shards = max(3, shards) if shards > 1 else 1
    partitions = demand.partitions or advised_partitions(found.count, shards)
    replicas = partitions * (FIXED_TOPICS + 2 * demand.channels) * demand.replication
    # a follower fetches like a consumer: about half of what an event costs the broker
    copies = 1 + 0.5 * (demand.replication - 1)
    broker_cores = (
        rate * parts.BROKER_EVENT_WARM.value * US * copies + found.count * parts.BROKER_WORKER.value
    ) / demand.core_speed
    through = (event_bytes + change_bytes) * demand.replication * 2 - event_bytes - change_bytes
    through += event_bytes + change_bytes * demand.readers
    by |= {
        "broker CPU": math.ceil(broker_cores / (limits.broker_cores * limits.broker_load)),
        "broker network": math.ceil(through / (limits.network_bytes * limits.network_load)),
        "broker partitions": math.ceil(replicas / limits.replicas_a_broker),
    }
    brokers = max(demand.replication, *(count for name, count in by.items() if name.startswith("broker")))
    # the fullest shard: partitions come whole
    full = math.ceil(partitions / shards) / partitions
    hottest = law.hottest
    # a partition cannot be split: the hottest one has the hottest profile beside its share of the others
    hot_partition = hottest + (1 - hottest) / partitions
    network, most = limits.network_bytes, limits.replicas_a_broker
    needs = (
        Need("hottest profile", rate * hottest, "events/s", 0, rate * hottest / found.capacity),
        Need("hottest partition", rate * hot_partition, "events/s", 0, rate * hot_partition / found.capacity),
        Need("workers", rate / found.capacity, "cores", found.count, rate / found.capacity / found.count),
        Need("partitions", partitions, "", 0, found.count / partitions),
        Need("store memory", state / GIB, "GiB", by["store memory"], state * full / (limits.node_memory_gib * GIB)),
        Need("store CPU", store_cores, "main threads", by["store CPU"], store_cores * full),
        Need("store network", store_through / 1e9, "GB/s", by["store network"], store_through * full / network),
        Need("broker CPU", broker_cores, "cores", by["broker CPU"], broker_cores / brokers / limits.broker_cores),
        Need("broker network", through / 1e9, "GB/s", by["broker network"], through / brokers / network),
        Need("broker partitions", replicas, "replicas", by["broker partitions"], replicas / brokers / most),
    )  # fmt: skip
    log = event_bytes * DAY_S * demand.retention_days * demand.replication
    return Plan(
        demand=demand,
        work=found.work,
        partitions=partitions,
        workers=found.count,
        shards=shards,
        brokers=brokers,
        state_gib=state / GIB,
        log_tb=log / 1e12,
        needs=needs,
        bill=_bill(demand, found, shards, brokers, log, event_bytes, change_bytes),
        moves=_moves(demand, found, partitions, state),
    )


def _bill(
    demand: Demand,
    found: _Workers,
    shards: int,
    brokers: int,
    log_bytes: float,
    event_bytes: float,
    change_bytes: float,
) -> dict[str, float]:
    """Return dollars a month. Clients and replicas stand in three zones, so two thirds of what is sent crosses."""
    limits, rate, hours = demand.limits, demand.events_per_second, parts.HOURS_A_MONTH
    clients = 2 * event_bytes + change_bytes * (1 + demand.readers)
    clients += rate * (found.work.store_in_bytes + found.work.store_out_bytes)
    copies = (event_bytes + change_bytes) * (demand.replication - 1)
    copies += rate * found.work.store_in_bytes * demand.store_replicas
    crossing = clients * 2 / 3 + copies
    memory_gib = shards * (1 + demand.store_replicas) * limits.node_memory_gib
    return {
        "workers": found.count * parts.CORE_HOUR.value * hours,
        "store": memory_gib * parts.MEMORY_HOUR.value * hours,
        "brokers": brokers * limits.broker_cores * parts.CORE_HOUR.value * hours,
        "disk": log_bytes / 1e9 * parts.DISK_MONTH.value,
        "traffic between zones": crossing / 1e9 * 3_600 * hours * parts.ZONE_TRANSFER.value,
    }


def _moves(demand: Demand, found: _Workers, partitions: int, state: float) -> dict[str, float]:
    """Return what a rebalance, a take-over and a move of state cost."""
    rate, load = demand.events_per_second / partitions, demand.limits.worker_load
    held = partitions / found.count
    # published and not written yet: one checkpoint interval of each of its partitions
    replay_s = demand.checkpoint_s * rate * held / found.capacity
    # the group assigns partitions in turn, so nearly all change their worker, and all are claimed anew
    stands_s = parts.REBALANCE_S.value + parts.CLAIM_S.value * held
    killed_s = demand.session_s + stands_s + replay_s
    # what a worker had in memory is dropped, and the new owners read it again as its events come
    kept = min(demand.cached_a_worker, demand.profiles / found.count)
    size = state / demand.profiles
    reload_us = parts.WORKER_READ.value + parts.WORKER_READ_KB.value * size / parts.KB
    return {
        "partitions of a worker": held,
        "partitions that change their worker": partitions * (1 - 1 / found.count),
        "worker added or stopped: every partition stands, s": stands_s,
        "worker killed: its partitions stand, s": killed_s,
        "records that a partition is behind then": killed_s * rate,
        "caught up after, s": killed_s * load / (1 - load),
        "CPU of each worker to read its profiles again, s": kept * reload_us * US / demand.core_speed,
        "state of a partition, MB": state / partitions / 1e6,
        "a partition's slot moves (MIGRATESLOTS), s": state / partitions / 1e6 / parts.MOVE_MB_S.value,
        "and stands (MIGRATESLOTS), s": parts.MOVE_STANDS_S.value,
        "a partition's slot moves and stands (MIGRATE), s": state / partitions / 1e6 / parts.MIGRATE_MB_S.value,
    }

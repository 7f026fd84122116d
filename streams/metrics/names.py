"""Every metric of Segue, once: name, kind, unit, labels, meaning, and how to put several processes together.

docs/operations/metrics.md is drawn from this list. Dashboards and alert rules are tested against it, in both
directions, and so is what a live worker and a live deliverer answer at /metrics.

No label holds a subject, an event id, a host or a user. Values of `type` are event types of the dictionary; values of
`segment`, `activation` and `channel` are names of definitions.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["gauge", "counter", "histogram", "info"]
Scope: TypeAlias = Literal["partition", "worker", "business", "delivery"]

SCOPES: Final[dict[Scope, str]] = {
    "partition": "Each partition that a worker holds",
    "worker": "Each worker",
    "business": "Audiences and channels",
    "delivery": "Each deliverer",
}

SUM: Final = "add up: `sum by (…)`"
MAX: Final = "take the largest: `max by (…)`"
RATE: Final = "`sum by (…) (rate(…[5m]))`"
QUANTILE: Final = "`histogram_quantile(0.99, sum by (le) (rate(…_bucket[5m])))`"
EACH: Final = "look at each process"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family."""

    name: str
    """As it is asked for in Prometheus: a counter's name ends with `_total`."""
    kind: Kind
    unit: str
    """In the plural, as in the name; "": a plain number."""
    labels: tuple[str, ...]
    scope: Scope
    help: str
    """One line: what it counts, from when to when, and what 0 or absence mean."""
    aggregate: str = SUM

    @property
    def base(self) -> str:
        """The family's name in OpenMetrics: without `_total` of a counter and `_info` of an info."""
        ending = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        return self.name.removesuffix(ending)

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names of its time series: of a histogram three."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


# -- each partition that a worker holds

INPUT_LAG_RECORDS: Final = Family(
    "segue_input_lag_records",
    "gauge",
    "records",
    ("partition",),
    "partition",
    "Records of the input between the applied offset and the log's end. Markers at the end do not count.",
)
INPUT_LAG_SECONDS: Final = Family(
    "segue_input_lag_seconds",
    "gauge",
    "seconds",
    ("partition",),
    "partition",
    "Age of the oldest record that is not applied. 0: every record is applied. Absent: the record's age is not known.",
    MAX,
)
INPUT_OFFSET: Final = Family(
    "segue_input_offset",
    "gauge",
    "offset",
    ("partition", "stage"),
    "partition",
    "Next offset of the input, by stage: end (of the log), applied, published, checkpointed (written to Redis).",
    MAX,
)
INPUT_RETENTION_USED: Final = Family(
    "segue_input_retention_used_ratio",
    "gauge",
    "ratio",
    ("partition",),
    "partition",
    "How much of the input's retention the oldest record that is not applied has used. 1: the broker may delete it.",
    MAX,
)
PARTITION_STATE: Final = Family(
    "segue_partition_state",
    "gauge",
    "",
    ("partition", "state"),
    "partition",
    "1 for the state that the partition is in, 0 for the others.",
)
TIMER_OVERDUE_SECONDS: Final = Family(
    "segue_timer_overdue_seconds",
    "gauge",
    "seconds",
    ("partition",),
    "partition",
    "How long the first wake has been due and not fired. 0: none is due. A backlog counts as overdue.",
    MAX,
)
CHECKPOINT_AGE_SECONDS: Final = Family(
    "segue_checkpoint_age_seconds",
    "gauge",
    "seconds",
    ("partition",),
    "partition",
    "Since when records are applied that no checkpoint in Redis holds. 0: every applied record is written.",
    MAX,
)
LOG_UNSTABLE_SECONDS: Final = Family(
    "segue_log_unstable_seconds",
    "gauge",
    "seconds",
    ("partition", "topic"),
    "partition",
    "How long an open transaction has held up the readers of a topic's partition. 0: none does.",
    MAX,
)
LOG_UNSTABLE_RECORDS: Final = Family(
    "segue_log_unstable_records",
    "gauge",
    "records",
    ("partition", "topic"),
    "partition",
    "Offsets of a topic's partition that readers cannot see yet, because a transaction before them is open.",
)
EVENTS: Final = Family(
    "segue_events_total",
    "counter",
    "events",
    ("partition", "type", "outcome"),
    "partition",
    "Events applied, by type. Outcome: applied; redelivered (its id was known, it changed nothing); replayed (its"
    " changes were published before). Refused records are in segue_dead_letters_total.",
    RATE,
)
CHANGES: Final = Family(
    "segue_changes_total",
    "counter",
    "changes",
    ("partition",),
    "partition",
    "Changes of memberships and activations whose transaction was committed.",
    RATE,
)
TIMERS_FIRED: Final = Family(
    "segue_timers_fired_total",
    "counter",
    "",
    ("partition",),
    "partition",
    "Wakes that fired: profiles that were evaluated because time had passed.",
    RATE,
)
DEAD_LETTERS: Final = Family(
    "segue_dead_letters_total",
    "counter",
    "",
    ("partition", "reason"),
    "partition",
    "Refused records whose dead letter was committed, by reason code; 0 for the others.",
    RATE,
)
EFFECTS: Final = Family(
    "segue_effects_total",
    "counter",
    "effects",
    ("partition", "type", "outcome"),
    "partition",
    "Effects of links and erasures on other profiles, by type. Outcome: sent (committed to the target's partition);"
    " applied (taken from this partition); replayed (taken again: what followed was published before);"
    " unreadable (it does not say what it must, so it says nothing: who else writes to the input?).",
    RATE,
)
EFFECTS_DROPPED: Final = Family(
    "segue_effects_dropped_total",
    "counter",
    "effects",
    ("partition",),
    "partition",
    "Effects that an alias dropped because it had passed them on already: links lead in a ring.",
    RATE,
)
LINKS_ODD: Final = Family(
    "segue_links_odd_total",
    "counter",
    "links",
    ("partition", "what"),
    "partition",
    "Links that a person should look at. What: to_erased (leads to an erased subject, so its own is erased or in"
    " nothing); ring (leads back to its own subject); many_subjects (its person has more than 50 subjects now);"
    " journey_ended (its person is out of a journey that one of its subjects was in); arm_switched (a journey goes on"
    " in another arm).",
    RATE,
)
ERASED_RECORDS: Final = Family(
    "segue_erased_records_total",
    "counter",
    "",
    ("partition",),
    "partition",
    "Facts and links of erased subjects that were dropped: no dead letter keeps them.",
    RATE,
)
REFUSED_RECORDS: Final = Family(
    "segue_refused_records",
    "gauge",
    "",
    ("partition", "source"),
    "partition",
    "Refused records among the newest `SEGUE_BAD_INPUT_WINDOW`, by source; at most 20. Too many hold the partition.",
)
CHECKPOINTS: Final = Family(
    "segue_checkpoints_total",
    "counter",
    "checkpoints",
    ("partition",),
    "partition",
    "Checkpoints written to Redis.",
    RATE,
)
REPLAYS: Final = Family(
    "segue_replays_total",
    "counter",
    "replays",
    ("partition",),
    "partition",
    "Silent replays begun: records applied again whose changes were published before.",
    RATE,
)
GAPS: Final = Family(
    "segue_gaps_total",
    "counter",
    "gaps",
    ("partition",),
    "partition",
    "How often Redis had gone back behind what this worker had written: a failover, a restored backup.",
    RATE,
)

# -- each worker

REBALANCES: Final = Family(
    "segue_rebalances_total", "counter", "rebalances", (), "worker", "Assignments received from the group.", RATE
)
RINGS: Final = Family(
    "segue_rings_total",
    "counter",
    "rings",
    (),
    "worker",
    "Rings of producers opened. Each after the first follows a doubt about a transaction.",
    RATE,
)
DEPENDENCY_UP: Final = Family(
    "segue_dependency_up",
    "gauge",
    "",
    ("dependency",),
    "worker",
    "1 while the dependency answers, 0 while it does not: kafka, redis; of a deliverer kafka, endpoint.",
    "take the smallest: `min by (dependency) (…)`",
)
CONSUMER_SILENT: Final = Family(
    "segue_consumer_silent",
    "gauge",
    "",
    (),
    "worker",
    "1 while the consumer reads nothing although the log goes on.",
    MAX,
)
BUILD_INFO: Final = Family(
    "segue_build_info",
    "info",
    "",
    ("version", "generation", "catalogue", "rules"),
    "worker",
    "Always 1: the version of Segue, the generation, the hash of each catalogue in force, its first 12 digits, and"
    " whether a worker's rules are compiled or interpreted.",
    EACH,
)
PUBLISH_LATENCY_SECONDS: Final = Family(
    "segue_publish_latency_seconds",
    "histogram",
    "seconds",
    (),
    "worker",
    "Of each record that brought changes or a dead letter: from its timestamp to the answer to its commit.",
    QUANTILE,
)
TRANSACTION_SECONDS: Final = Family(
    "segue_transaction_seconds",
    "histogram",
    "seconds",
    (),
    "worker",
    "Of each transaction: from its first record to the answer to its commit.",
    QUANTILE,
)
CHECKPOINT_SECONDS: Final = Family(
    "segue_checkpoint_seconds",
    "histogram",
    "seconds",
    (),
    "worker",
    "Of each checkpoint: from its first sending to Redis to its answer, repeats included.",
    QUANTILE,
)
APPLY_SECONDS: Final = Family(
    "segue_apply_seconds",
    "histogram",
    "seconds",
    (),
    "worker",
    "Of each chunk of at most 200 records: reading its profiles, and applying it.",
    QUANTILE,
)

# -- audiences and channels

SEGMENT_MEMBERS: Final = Family(
    "segue_segment_members",
    "gauge",
    "members",
    ("segment",),
    "business",
    "Members of a segment in the partitions of this worker, as last written to Redis.",
)
SEGMENT_CHANGES: Final = Family(
    "segue_segment_changes_total",
    "counter",
    "changes",
    ("segment", "change", "reason"),
    "business",
    "Membership changes whose transaction was committed: entered or exited, and why.",
    RATE,
)
ACTIVATION_ACTIVE: Final = Family(
    "segue_activation_active",
    "gauge",
    "",
    ("activation", "channel"),
    "business",
    "Profiles that a channel may contact now for an activation, in the partitions of this worker.",
)
DEACTIVATIONS: Final = Family(
    "segue_deactivations_total",
    "counter",
    "",
    ("channel", "reason"),
    "business",
    "Deactivations whose transaction was committed, and why.",
    RATE,
)
SUPPRESSION_LATENCY_SECONDS: Final = Family(
    "segue_suppression_latency_seconds",
    "histogram",
    "seconds",
    (),
    "business",
    "Of each deactivation for erasure, restriction, consent, suppression or a lost membership: from the instant that it"
    " takes effect (its record's timestamp, or when its timer was due) to the answer to its commit.",
    QUANTILE,
)

# -- each deliverer

DELIVERY_LAG_CHANGES: Final = Family(
    "segue_delivery_lag_changes",
    "gauge",
    "changes",
    ("channel",),
    "delivery",
    "Changes that are not delivered: in hand or not read, in the partitions of this deliverer. Absent: not known.",
)
DELIVERY_LAG_SECONDS: Final = Family(
    "segue_delivery_lag_seconds",
    "gauge",
    "seconds",
    ("channel",),
    "delivery",
    "Age of the oldest change in hand that is not delivered. 0: none is outstanding. Absent: not known.",
    MAX,
)
DELIVERY_CHANGES: Final = Family(
    "segue_delivery_changes_total",
    "counter",
    "changes",
    ("channel", "outcome"),
    "delivery",
    "Changes answered for: delivered; erased (the endpoint took an erasure); superseded (not sent: an erasure took"
    " their place); refused (among the dead letters); erasure_refused (likewise, and the platform still has somebody"
    " who was erased); lost (retention dropped them first).",
    RATE,
)
DELIVERY_REQUESTS: Final = Family(
    "segue_delivery_requests_total",
    "counter",
    "requests",
    ("channel", "code"),
    "delivery",
    "Requests sent, by HTTP status code; none: no answer came.",
    RATE,
)
DELIVERY_RETRIES: Final = Family(
    "segue_delivery_retries_total",
    "counter",
    "retries",
    ("channel",),
    "delivery",
    "Requests that had to be sent again.",
    RATE,
)

FAMILIES: Final[tuple[Family, ...]] = tuple(found for found in dict(globals()).values() if isinstance(found, Family))
"""Every family, in the order above."""
BY_NAME: Final[dict[str, Family]] = {family.name: family for family in FAMILIES}
OF_WORKER: Final = tuple(family for family in FAMILIES if family.scope != "delivery")
"""What a worker answers."""
OF_DELIVERER: Final = (*(family for family in FAMILIES if family.scope == "delivery"), DEPENDENCY_UP, BUILD_INFO)
"""What a deliverer answers."""
SAMPLE_NAMES: Final[frozenset[str]] = frozenset(name for family in FAMILIES for name in family.sample_names)
"""Every name that a query may ask for."""

"""The dashboard of the flow: is the input behind, does every partition run, does everything go out."""

from typing import Final

from tests.deploy.dashboards.panels import Dashboard, Panel, Query, Variable

JOB: Final = Variable(
    "job", "segue_build_info", "Jobs of Prometheus: usually one of the workers, one of the deliverers."
)
NAMESPACE: Final = Variable("namespace", "segue_build_info", "Namespaces of Kubernetes; elsewhere there is none.")


def quantiles(name: str) -> tuple[Query, ...]:
    """Return the queries for the 50th and 99th of a hundred of a histogram."""
    return tuple(
        Query(f"histogram_quantile({q}, sum by (le) (rate({name}_bucket{{@}}[$__rate_interval])))", legend)
        for q, legend in ((0.5, "half are faster"), (0.99, "99 of 100 are faster"))
    )


_GLANCE = (
    Panel(
        "Oldest event not applied",
        "The largest age over all partitions. This is how late memberships and suppressions are.",
        "s",
        (Query("max(segue_input_lag_seconds{@})"),),
        "stat",
        (30, 60),
        4,
        4,
    ),
    Panel(
        "Workers that answer",
        "Workers that Prometheus has heard at its last look.",
        "none",
        (Query("count(segue_rebalances_total{@}) or vector(0)"),),
        "stat",
        None,
        4,
        4,
    ),
    Panel(
        "Partitions that do not run",
        "Partitions with a worker that are claimed, replayed, held or stopped. One without a worker does not count.",
        "none",
        (
            Query(
                'count(max by (namespace, job, partition) (segue_partition_state{@,state="running"}) == 0) or vector(0)'
            ),
        ),
        "stat",
        (1, 2),
        4,
        4,
    ),
    Panel(
        "Retention used",
        "How much of the input's retention the oldest event that is not applied has used. At 100% Kafka may delete it.",
        "percentunit",
        (Query("max(segue_input_retention_used_ratio{@})"),),
        "stat",
        (0.1, 0.5),
        4,
        4,
    ),
    Panel(
        "Suppressions, 99 of 100",
        "From the instant at which somebody must not be contacted any more to the commit of that change.",
        "s",
        (Query("histogram_quantile(0.99, sum by (le) (rate(segue_suppression_latency_seconds_bucket{@}[10m])))"),),
        "stat",
        (10, 30),
        4,
        4,
    ),
    Panel(
        "Alerts that fire",
        "Alerts of Segue that fire now, whatever is chosen above. Each has a runbook of its name.",
        "none",
        (Query('count(ALERTS{alertname=~"Segue.*",alertstate="firing"}) or vector(0)'),),
        "stat",
        (1, 2),
        4,
        4,
    ),
)
_INPUT = (
    Panel(
        "Lag in seconds",
        "Age of the oldest event that is not applied. A gap in a line: not known. Line: where SegueInputLag begins.",
        "s",
        (Query("max by (job, partition) (segue_input_lag_seconds{@})", "{{job}} {{partition}}"),),
        steps=(60, 300),
    ),
    Panel(
        "Lag in records",
        "Records between the applied offset and the log's end. Tells little without the seconds beside it.",
        "short",
        (Query("sum by (job, partition) (segue_input_lag_records{@})", "{{job}} {{partition}}"),),
    ),
    Panel(
        "In and applied",
        "Records a second that come to the input, and that are applied. Markers of transactions and ticks count too.",
        "cps",
        (
            Query(
                'sum(deriv(max by (job, partition) (segue_input_offset{@,stage="end"})[2m:5s]))',
                "in",
            ),
            Query(
                'sum(deriv(max by (job, partition) (segue_input_offset{@,stage="applied"})[2m:5s]))',
                "applied",
            ),
        ),
    ),
    Panel(
        "Events by type",
        "Events applied a second, by type of the dictionary: the ten most frequent.",
        "cps",
        (
            Query(
                'topk(10, sum by (type) (rate(segue_events_total{@,outcome="applied"}[$__rate_interval])))', "{{type}}"
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Events that changed nothing new",
        "Redelivered: the id was known. Replayed: the changes were published before, by this worker or another.",
        "cps",
        (Query('sum by (outcome) (rate(segue_events_total{@,outcome!="applied"}[$__rate_interval]))', "{{outcome}}"),),
    ),
    Panel(
        "Dead letters",
        "Records refused a second, by reason. What each reason means stands in the rule language, Bad input.",
        "cps",
        (Query("sum by (reason) (rate(segue_dead_letters_total{@}[$__rate_interval]))", "{{reason}}"),),
        stacked=True,
    ),
)
_PARTITIONS = (
    Panel(
        "Partitions by state",
        "How many partitions are in each state. All should run.",
        "none",
        (
            Query(
                "count by (state) (max by (job, partition, state) (segue_partition_state{@}) == 1)",
                "{{state}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Retention used, by partition",
        "Share of the input's retention that the oldest event that is not applied has used.",
        "percentunit",
        (Query("max by (job, partition) (segue_input_retention_used_ratio{@})", "{{job}} {{partition}}"),),
        steps=(0.1, 0.5),
    ),
    Panel(
        "Overdue wakes",
        "How long the first wake of a partition has been due: exits and suppressions by time. A backlog counts too.",
        "s",
        (Query("max by (job, partition) (segue_timer_overdue_seconds{@})", "{{job}} {{partition}}"),),
        steps=(10, 60),
    ),
    Panel(
        "Wakes fired",
        "Profiles evaluated a second because time had passed.",
        "cps",
        (Query("sum(rate(segue_timers_fired_total{@}[$__rate_interval]))", "fired"),),
    ),
    Panel(
        "Applied and not published",
        "Records whose changes are not out yet.",
        "short",
        (
            Query(
                'max by (job, partition) (segue_input_offset{@,stage="applied"})'
                ' - max by (job, partition) (segue_input_offset{@,stage="published"})',
                "{{job}} {{partition}}",
            ),
        ),
    ),
    Panel(
        "Applied and not written to Redis",
        "Records that a worker would have to apply again if it started now. The input pauses at 50,000.",
        "short",
        (
            Query(
                'max by (job, partition) (segue_input_offset{@,stage="applied"})'
                ' - max by (job, partition) (segue_input_offset{@,stage="checkpointed"})',
                "{{job}} {{partition}}",
            ),
        ),
    ),
)
_OUTPUT = (
    Panel(
        "Changes published",
        "Changes of memberships and activations a second whose transaction was committed.",
        "cps",
        (Query("sum by (job) (rate(segue_changes_total{@}[$__rate_interval]))", "{{job}}"),),
    ),
    Panel(
        "From record to commit",
        "Of each record that brought changes or a dead letter: from its timestamp to the answer to its commit.",
        "s",
        quantiles("segue_publish_latency_seconds"),
    ),
    Panel(
        "Transactions",
        "How long a transaction takes, from its first record to the answer to its commit. A measure of Kafka.",
        "s",
        quantiles("segue_transaction_seconds"),
    ),
    Panel(
        "Open transactions before readers, in seconds",
        "How long a transaction has held up the readers of a topic. Line: where SegueOpenTransaction begins.",
        "s",
        (Query("max by (topic) (segue_log_unstable_seconds{@})", "{{topic}}"),),
        steps=(20, 30),
    ),
    Panel(
        "Open transactions before readers, in records",
        "Offsets that readers cannot see yet, because a transaction before them is open.",
        "short",
        (Query("sum by (topic) (segue_log_unstable_records{@})", "{{topic}}"),),
    ),
    Panel(
        "Doubts and rebalances",
        "Rings of producers opened, and assignments received, within 10 minutes. Both are rare on a quiet day.",
        "none",
        (
            Query("sum by (instance) (changes(segue_rings_total{@}[10m]))", "rings {{instance}}"),
            Query("sum by (instance) (changes(segue_rebalances_total{@}[10m]))", "rebalances {{instance}}"),
        ),
    ),
)
_STATE = (
    Panel(
        "Age of what is not written",
        "Since when records are applied that no checkpoint in Redis holds. Line: where SegueCheckpointOld begins.",
        "s",
        (Query("max by (job, partition) (segue_checkpoint_age_seconds{@})", "{{job}} {{partition}}"),),
        steps=(10, 60),
    ),
    Panel(
        "Checkpoints",
        "How long a write to Redis takes, repeats included. A measure of Redis.",
        "s",
        quantiles("segue_checkpoint_seconds"),
    ),
    Panel(
        "Applying a chunk",
        "Of each chunk of at most 200 records: reading its profiles from Redis, and evaluating.",
        "s",
        quantiles("segue_apply_seconds"),
    ),
    Panel(
        "Checkpoints a second",
        "Writes to Redis: about one a second and partition while events come.",
        "cps",
        (Query("sum by (job) (rate(segue_checkpoints_total{@}[$__rate_interval]))", "{{job}}"),),
    ),
    Panel(
        "Replays and gaps",
        "Within 10 minutes. Gap: Redis had gone back. Replay: records applied again, silently.",
        "none",
        (
            Query("sum by (job) (changes(segue_replays_total{@}[10m]))", "replays {{job}}"),
            Query("sum by (job) (changes(segue_gaps_total{@}[10m]))", "gaps {{job}}"),
        ),
    ),
    Panel(
        "Alerts",
        "Every alert of Segue that fires or is about to.",
        "none",
        (Query('ALERTS{alertname=~"Segue.*"}'),),
        "table",
    ),
)
_PROCESSES = (
    Panel(
        "Servers that answer",
        "1 while each process hears the server, 0 while one does not.",
        "none",
        (Query("min by (job, dependency) (segue_dependency_up{@})", "{{job}} {{dependency}}"),),
    ),
    Panel(
        "Consumers that read nothing",
        "1 while the consumer of a worker reads nothing although the log goes on.",
        "none",
        (Query("max by (instance) (segue_consumer_silent{@})", "{{instance}}"),),
    ),
    Panel(
        "Processor",
        "Cores used. A worker can use one.",
        "none",
        (Query("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}"),),
    ),
    Panel(
        "Memory",
        "Resident memory. What grows for days without end is a fault.",
        "bytes",
        (Query("process_resident_memory_bytes{@}", "{{instance}}"),),
    ),
    Panel(
        "Versions",
        "Each process with its version, generation and catalogue in force. Several catalogues: a cut is under way.",
        "none",
        (Query("segue_build_info{@}"),),
        "table",
        width=16,
    ),
)
FLOW: Final = Dashboard(
    "segue-flow",
    "Segue: flow",
    "Is the input behind, does every partition run, does everything go out? See docs/operations/watching.md.",
    (JOB, NAMESPACE),
    (
        ("At a glance", _GLANCE),
        ("Input", _INPUT),
        ("Partitions", _PARTITIONS),
        ("Output", _OUTPUT),
        ("State in Redis", _STATE),
        ("Processes", _PROCESSES),
    ),
)

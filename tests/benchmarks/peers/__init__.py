"""The engines that the benchmark compares: Segue, the null engine, and peers. What an engine must do is said here.

An engine is a process (with children, if it likes) that reads events from a topic and publishes membership changes. The
benchmark makes the topics, starts the process, feeds events, reads the changes, kills the process and starts it again.
Every engine has topics of its own; only one engine runs at a time. To add one: put a module beside this one, and a
`CommandEngine` into `tests/benchmarks/peers/registry.py`.

**What it is told**, in the environment:

    BENCH_BOOTSTRAP      host:port of Kafka
    BENCH_REDIS_URL      redis://… of Valkey, shared: begin every key with BENCH_NAME and a colon
    BENCH_NAME           letters, digits and hyphens; name the consumer group, transactional ids and further topics so
    BENCH_EVENTS_TOPIC   the input, with BENCH_PARTITIONS partitions, LogAppendTime
    BENCH_CHANGES_TOPIC  the output, with as many partitions
    BENCH_PARTITIONS     how many
    BENCH_CATALOGUE      a JSON file: the segments as plain data (`tests/benchmarks/load/plan.py` says what they mean)
    BENCH_FOLDER         a folder of its own, kept between its starts: logs, state, checkpoints

**What it reads.** Record: key = subject in UTF-8, in the partition murmur2(key) mod BENCH_PARTITIONS (Java's and
aiokafka's partitioner); value = a CloudEvent in JSON; no headers, no compression. `data` may have `topic`, `score` and
traits. At its first start it reads from the beginning. After a stop (TERM) or a kill (KILL) it goes on where its own
durability says; whatever that means for lost or repeated changes is stated in its `durability`.

**When it is ready** it prints the line `ready` to standard output: it has read its catalogue and reads events without
further preparation. Everything else that it prints goes to a log in its folder. TERM ends it within 15 s.

**What it publishes**, for each profile that enters or leaves a segment, one record: key = subject; value = compact JSON
(no spaces) with at least these keys, in any order:

    {"profile":"hcp:10000000","segment":"s0001-count","change":"entered",
     "effective_at":"2026-03-01T14:05:00.012Z","events":["/portal evt-a12"]}

`change` is `entered` or `exited`. `events` names the event that was evaluated, as source, space, id; it is empty if
time alone made the change (a wake). `effective_at` is the instant of the evaluation, with three decimals and Z: the
record's timestamp, or for a wake the first millisecond at which the condition no longer holds, or holds. The reader is
`read_committed`. A redelivery (same time, source and id) publishes nothing.

**The gate.** On a sample, the changes must equal those of the naive evaluator (`tests.naive`): for each profile and
segment the same sequence of `change` and `events`. An engine that cannot express a kind of segment says so
(`cannot`): the gate and the comparison leave those segments out, and the table says it. One without timers says so too
(`has_timers`): the gate asks it for what happened up to each profile's last event.
"""

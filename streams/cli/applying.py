"""Putting a catalogue into force: what it changes, and the one transaction that does it.

The topic of catalogues has one partition, and every apply appends its catalogue there again, under its hash, in the
transaction that writes the cuts: so the last record is the catalogue applied last, whatever compaction took.

1. The producer of all applies of this deployment is initialised (one fixed transactional id): an apply that another
   machine is in the middle of is aborted or completed, and cannot go on.
2. The catalogue in force is read: it is final now.
3. One transaction: the catalogue, and a cut for every input partition. A crash before its end: nothing was applied.
   Two at once therefore come one after the other, in the same order in every partition; the one that lost says so.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from rich.text import Text

from rules.catalogue import Catalogue, CatalogueErrors, catalogue_json, differs, load_catalogue
from rules.instants import FOREVER
from rules.logic import leaves
from rules.pending import Pending
from rules.plan import make_plan
from rules.problems import Source, canonical_json
from streams.cli.console import Exit, Failure, out, row, table
from streams.cli.servers import Servers
from streams.clock import SystemClock
from streams.log.base import Doubt, OutRecord, RecordTooLarge, Stored
from streams.log.producer import Tuning
from streams.log.ring import KafkaRing
from streams.topics import activation_topics, judge_topic, topics
from streams.wire import Wire

CATALOGUE_MB_MAX: Final = 8
"""A catalogue travels as one record."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What a catalogue changes against the one in force; ids of segments, in order."""

    new: tuple[str, ...] = ()
    """Approved now, and not before."""
    changed: tuple[str, ...] = ()
    """Their rules differ: they are visited at the cut (definitions.md section 8)."""
    reworded: tuple[str, ...] = ()
    """Titles, versions and the like: nobody moves."""
    retired: tuple[str, ...] = ()
    """Approved before, and not any more: their members leave."""
    unchanged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did."""

    hash: str
    applied: bool
    """False: it was in force already."""
    partitions: int
    before: str | None
    """Hash of the catalogue in force before; None: there was none."""
    differences: Differences
    pending: tuple[str, ...] = field(default=())
    """Conditions that will have no verdict for the profiles known now."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        differences = self.differences
        return {
            "catalogue": self.hash,
            "applied": self.applied,
            "partitions": self.partitions,
            "before": self.before,
            "new": differences.new,
            "changed": differences.changed,
            "reworded": differences.reworded,
            "retired": differences.retired,
            "unchanged": differences.unchanged,
            "pending_for_ever": self.pending,
        }


async def put_into_force(servers: Servers, catalogue: Catalogue, *, again: bool) -> Outcome:
    """Put a catalogue into force; see the module. Raises Failure, NotReachable."""
    deployment, settings = servers.deployment, servers.settings
    await servers.expect_topics(deployment.events_topic, deployment.catalogues_topic)
    await _have_restricted_topics(servers, catalogue)
    await _have_channel_topics(servers, catalogue)
    tuning = Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms)
    ring = KafkaRing(settings.kafka_bootstrap_servers, f"segue-apply-{deployment.catalogues_topic}", 1, tuning)
    await ring.open()
    try:
        stored = await servers.latest_catalogue()
        before = None if stored is None or stored.key is None else stored.key.decode()
        old = _old(stored)
        outcome = Outcome(
            catalogue.hash,
            again or before != catalogue.hash,
            deployment.partitions,
            before,
            _differences(old, catalogue),
            tuple(_pending_for_ever(old, catalogue, SystemClock().wall_ms())),
        )
        if outcome.applied:
            await _write(servers, ring, catalogue, stored)
    finally:
        await ring.close()
    return outcome


async def _write(servers: Servers, ring: KafkaRing, catalogue: Catalogue, before: Stored | None) -> None:
    deployment = servers.deployment
    wire = Wire(deployment)
    record = OutRecord(deployment.catalogues_topic, 0, catalogue.hash.encode(), catalogue_json(catalogue))
    cuts = [wire.catalogue(partition, catalogue.hash) for partition in range(deployment.partitions)]
    try:
        await ring.transaction([record, *cuts])
    except RecordTooLarge:
        size_mb = len(record.value or b"") / 1e6
        raise Failure(
            Exit.WRONG_INPUT,
            f"the catalogue is too large: {size_mb:.1f} MB, and one record of Kafka holds {CATALOGUE_MB_MAX} MB;"
            " shorten its descriptions, or retire segments into another folder",
        ) from None
    except Doubt as doubt:
        await servers.log.fence(ring.ids[0])
        found = await servers.latest_catalogue()
        if found is None or found.key != record.key or (before is not None and found.offset <= before.offset):
            overtaken = "another apply came at the same time" if "Fenced" in str(doubt) else f"it failed ({doubt})"
            what = f"{overtaken}: this catalogue was not applied, run `segue apply` again"
            raise Failure(Exit.NOT_REACHABLE, what) from None


async def _have_restricted_topics(servers: Servers, catalogue: Catalogue) -> None:
    """Create the topics of restricted segments, where the policy asks for them and `segue topics` was older."""
    if not any(each.membership == "restricted" for each in catalogue.policy.restrictions.values()):
        return
    wanted = [topic for topic in topics(servers.deployment) if topic.role in ("restricted", "restricted_current")]
    async with servers.cluster() as cluster:
        existing = await cluster.existing([topic.name for topic in wanted])
        missing = [topic for topic in wanted if topic.name not in existing]
        failed = await cluster.create(missing, servers.deployment.replication)
    if failed:
        raise Failure(Exit.WRONG_INPUT, *map(str, failed))


async def _have_channel_topics(servers: Servers, catalogue: Catalogue) -> None:
    """Create the topics of the channels that approved activations use; verify those that are there. Deletes none."""
    channels = sorted({each.channel for each in catalogue.activations.values() if each.status == "approved"})
    wanted = activation_topics(servers.deployment, channels)
    if not wanted:
        return
    async with servers.cluster() as cluster:
        existing = await cluster.existing([topic.name for topic in wanted])
        found = [
            finding
            for topic in wanted
            if topic.name in existing
            for finding in judge_topic(topic, existing[topic.name], servers.deployment)
            if finding.fatal
        ]
        if not found:
            missing = [topic for topic in wanted if topic.name not in existing]
            found = await cluster.create(missing, servers.deployment.replication)
    if found:
        raise Failure(Exit.WRONG_INPUT, *map(str, found))


def _old(stored: Stored | None) -> Catalogue | None:
    """Compile the catalogue in force, under whatever rules it was applied; None: there is none that loads."""
    if stored is None or stored.value is None:
        return None
    try:
        files = orjson.loads(stored.value)["files"]
        return load_catalogue([Source(file, value) for file, value in files.items()])
    except (CatalogueErrors, ValueError, KeyError, TypeError, AttributeError):
        return None


def _differences(old: Catalogue | None, new: Catalogue) -> Differences:
    if old is None:
        return Differences(new=new.order)
    here = [name for name in new.order if name in old.approved]
    changed = [name for name in here if differs(old.approved[name], new.approved[name], old, new)]
    reworded = [
        name
        for name in here
        if name not in changed and canonical_json(old.approved[name].raw) != canonical_json(new.approved[name].raw)
    ]
    return Differences(
        new=tuple(name for name in new.order if name not in old.approved),
        changed=tuple(changed),
        reworded=tuple(reworded),
        retired=tuple(name for name in old.order if name not in new.approved),
        unchanged=tuple(name for name in here if name not in changed and name not in reworded),
    )


def _pending_for_ever(old: Catalogue | None, new: Catalogue, now_ms: int) -> list[str]:
    """Find the conditions whose history is not at hand and whose window never moves (definitions.md section 8).

    `now_ms` stands for the instant of the cut: a window that begins at a date after it misses nothing.
    """
    if old is None:
        return []
    before = make_plan(old, ordinal=1)
    plan = make_plan(new, ordinal=2, t_ms=now_ms, old=before)
    found = []
    for segment in plan.segments:
        for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
            for path, leaf, _ in () if node is None else leaves(node, rule):
                if isinstance(leaf, Pending) and any(guard.complete_ms >= FOREVER for guard in leaf.guards):
                    found.append(
                        f"{segment.id}: {path} ({leaf.describe()}) looks back for ever: it gets no verdict for profiles"
                        " known before now" + _until_mark(leaf)
                    )
    return found


def _until_mark(leaf: Pending) -> str:
    marks = {guard.mark for guard in leaf.guards if guard.complete_ms >= FOREVER}
    return "" if None in marks else f" until their next {' or '.join(sorted(filter(None, marks)))}"


_KINDS: Final = (
    ("new", "green", ""),
    ("changed", "yellow", "its rules differ: members are judged anew at the cut"),
    ("reworded", "dim", "its texts differ, its rules do not"),
    ("retired", "red", "its members leave at the cut"),
)
SHOWN_MAX: Final = 60
"""Segments in the table; the rest is counted."""


def show(outcome: Outcome, catalogue: Catalogue) -> None:
    """Say what an apply did, for people."""
    if not outcome.applied:
        out.print(f"Catalogue {outcome.hash[:12]} is in force already: nothing was written (--again does it anyway).")
        return
    differences = outcome.differences
    rows = [
        (Text(name, style), segment, _title(catalogue, segment), said)
        for name, style, said in _KINDS
        for segment in getattr(differences, name)
    ]
    shown = table("", "segment", "title", "")
    for cells in rows[:SHOWN_MAX]:
        shown.add_row(*row(cells))
    if rows:
        out.print(shown)
    counts = [f"{len(getattr(differences, name))} {name}" for name, _, _ in _KINDS]
    out.print(f"{', '.join(counts)}, {len(differences.unchanged)} unchanged.")
    out.print(f"Catalogue {outcome.hash[:12]} is in force: one cut in each of {outcome.partitions} partitions.")


def _title(catalogue: Catalogue, segment: str) -> str | None:
    found = catalogue.segments.get(segment)
    return None if found is None else found.title

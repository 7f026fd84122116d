"""Putting a catalogue into force: what it says, when the log does not take it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson
import pytest

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.stored import applied_of, catalogue_json
from rules.catalogue.versions import definitions_of, extend
from rules.reports.beginnings import beginnings
from streams.errors import Doubt, RecordTooLarge
from streams.log.client import KafkaLog
from streams.log.ring import KafkaRing
from streams.operations import apply
from streams.operations.applying.options import Options
from streams.operations.errors import CatalogueTooLarge, NotApplied, WrongInput
from streams.operations.servers import Servers
from streams.records import OutRecord, Stored
from streams.settings import Deployment, Settings
from streams.wire.applies import is_apply
from streams.wire.fills import Fill, read_fills
from tests.streams.world import START_MS, catalogue

KNOWN = "known|enter: {everyone: true}"


@dataclass
class Log:
    """The topic of catalogues, and who was fenced."""

    stored: list[Stored] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    appended: list[OutRecord] = field(default_factory=list)

    async def last(self, topic: str, partition: int) -> Stored | None:
        return self.stored[-1] if self.stored else None

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        return self.stored

    async def append(self, record: OutRecord) -> int:
        self.appended.append(record)
        return len(self.appended)

    async def fence(self, transactional_id: str) -> None:
        self.fenced.append(transactional_id)


@dataclass
class Ring:
    """A ring whose transaction goes as told: the error, and whether it was committed all the same."""

    log: Log
    error: Exception | None = None
    committed: bool = True
    ids: tuple[str, ...] = ("apply-0",)
    records: list[OutRecord] = field(default_factory=list)

    async def transaction(self, records: Sequence[OutRecord]) -> list[int]:
        self.records += records
        if self.committed:
            self.log.stored += [
                Stored(len(self.log.stored) + n, each.key, each.value, 0) for n, each in enumerate(records[:2])
            ]
        if self.error is not None:
            raise self.error
        return list(range(10, 10 + len(records)))


async def write(ring: Ring, given: Catalogue) -> None:
    servers = Servers(Deployment(partitions=3), Settings(), cast("KafkaLog", ring.log))
    situation = await apply.look(servers, given, Options(by="ada", note="a test"))
    await apply._write(cast("KafkaRing", ring), situation)  # noqa: SLF001 - the one transaction


async def test_one_transaction_holds_the_catalogue_and_for_each_partition_a_cut_that_is_not_filled() -> None:
    given = catalogue(KNOWN)
    ring = Ring(Log())
    await write(ring, given)
    told, first, *cuts = ring.records[:5]
    assert (told.topic, is_apply(told.key), is_apply(first.key)) == ("segue.catalogues", True, False)
    fills = ring.records[5:]
    assert (first.topic, first.key) == ("segue.catalogues", given.hash.encode())
    applied = applied_of(first.value or b"")
    assert applied is not None
    assert first.value == catalogue_json(given, applied, versions=extend({}, definitions_of(given)))
    assert (applied.by, applied.note, applied.git, applied.break_glass) == ("ada", "a test", None, None)
    assert [(cut.topic, cut.partition) for cut in cuts] == [("engagement.events", n) for n in range(3)]
    assert all(given.hash.encode() in (cut.value or b"") for cut in cuts)
    assert [(fill.topic, fill.partition) for fill in fills] == [("segue.fills", n) for n in range(3)]
    ids = [orjson.loads(cut.value or b"")["id"] for cut in cuts]
    for place, said in ((-1, fills), (12, ring.log.appended)):
        [found] = zip(*(read_fills([Stored(0, fill.key, fill.value, 0)]) for fill in said), strict=True)
        at = [place + n if place > 0 else place for n in range(3)]
        assert [(each.cut, each.fill) for each in found] == [
            (id_, Fill(given.hash, None, offset)) for id_, offset in zip(ids, at, strict=True)
        ]


async def test_a_catalogue_larger_than_a_record_is_said_in_megabytes() -> None:
    given = catalogue(KNOWN)
    with pytest.raises(CatalogueTooLarge, match=r"too large: 0.0 MB, and one record of Kafka holds 8 MB") as failed:
        await write(Ring(Log(), RecordTooLarge("segue.catalogues"), committed=False), given)
    assert isinstance(failed.value, WrongInput)
    assert failed.value.size_bytes >= len(catalogue_json(given))


async def test_an_answer_that_was_lost_is_looked_up_after_fencing() -> None:
    ring = Ring(Log(), Doubt("TimeoutError"))
    await write(ring, catalogue(KNOWN))
    assert ring.log.fenced == ["apply-0"]


@pytest.mark.parametrize(("doubt", "said"), [("TimeoutError", "it failed"), ("ProducerFenced", "another apply")])
async def test_what_was_not_committed_is_said_to_be_not_applied(doubt: str, said: str) -> None:
    with pytest.raises(NotApplied, match=f"{said}.*was not applied"):
        await write(Ring(Log(), Doubt(doubt), committed=False), catalogue(KNOWN))


async def test_the_same_catalogue_in_force_before_does_not_count_as_applied() -> None:
    given = catalogue(KNOWN)
    log = Log([Stored(4, given.hash.encode(), catalogue_json(given), 0)])
    with pytest.raises(NotApplied, match="was not applied"):
        await write(Ring(log, Doubt("TimeoutError"), committed=False), given)


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ("enter: {event: portal.login, within: 1d}", False),
        ("enter: {event: portal.login, since: ever}", True),
        ("enter: {event: portal.login, since: 2020-01-01}", True),
        ("enter: {event: portal.login, since: 2030-01-01}", False),
        ("enter: {event: portal.login}\nexit: {absent: portal.login, within: 1d}", True),
        ("enter: {everyone: true}\nexit: {event: portal.login, since: entry}", True),
    ],
)
def test_conditions_that_look_back_for_ever_are_warned_of(rule: str, warned: bool) -> None:
    found = beginnings(catalogue(KNOWN), catalogue(KNOWN, f"a|{rule}"), START_MS)
    assert bool(found) is warned
    assert not beginnings(None, catalogue(f"a|{rule}"), START_MS)  # nothing came before it

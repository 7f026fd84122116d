"""By when nobody is named any more: which instants and which topics count. The settings' part is in test_staying."""

from collections.abc import Mapping
from typing import Any

from rules.ground.instants import MS_PER_DAY
from streams.operations.on_disk import Held, OnDisk, Unread
from streams.operations.privacy import Place, SubjectHeld, bounds
from streams.records import Fetched
from streams.settings import Deployment
from streams.wire.staying import Staying
from streams.wire.topics import topics
from tests.streams.wire.test_wire import Read

NOW_MS = 100 * MS_PER_DAY
DAYS = {"input": 29, "changes": 29, "dlt": 40}
STAYS = {name: Staying(days * MS_PER_DAY, days * MS_PER_DAY) for name, days in DAYS.items()}


def subject(**told: Any) -> SubjectHeld:
    values: dict[str, Any] = {
        "subject": "hcp:1",
        "stands": "erased",
        "stands_for": None,
        "erased_ms": 50 * MS_PER_DAY,
        "named_in_redis": False,
        "redis_bytes": 40,
        "places": (),
        "backups_gone_ms": None,
        "written_ms": None,
    }
    return SubjectHeld(**{**values, **told})


def latest(one: SubjectHeld, stays: Mapping[str, Staying] = STAYS, unread: tuple[Unread, ...] = ()) -> int | None:
    """Return the latest day; None: one is not known."""
    found = list(bounds([one], OnDisk({}, stays, unread), NOW_MS))
    return None if None in found else max(each or 0 for each in found) // MS_PER_DAY


def test_a_topic_that_keeps_records_longest_counts_though_no_record_there_has_the_subject_as_its_key() -> None:
    place = Place("input", 2, 40 * MS_PER_DAY, 50 * MS_PER_DAY, 0, 79 * MS_PER_DAY)
    assert latest(subject(places=(place,))) == 79
    # a dead letter with another key may name the person until the erasure
    assert latest(subject(places=(place,), written_ms=50 * MS_PER_DAY)) == 90
    forever = {**STAYS, "dlt": Staying(None, None)}
    assert latest(subject(places=(place,), written_ms=50 * MS_PER_DAY), forever) is None


def test_a_producer_that_goes_on_sending_moves_the_date_and_so_does_what_was_not_read() -> None:
    later = Place("input", 3, 40 * MS_PER_DAY, 80 * MS_PER_DAY, 0, 109 * MS_PER_DAY)
    one = subject(places=(later,), written_ms=50 * MS_PER_DAY)
    assert latest(one) == 109
    assert latest(one, unread=(Unread("changes", 0, 5, 9),)) == 129
    assert latest(subject(backups_gone_ms=300 * MS_PER_DAY, written_ms=50 * MS_PER_DAY)) == 300


def test_an_erasure_counts_from_the_change_that_it_made_where_workers_carried_it_out_late() -> None:
    [changes] = [each for each in topics(Deployment(partitions=1)) if each.role == "membership"]
    held = Held(changes)
    for t_ms in (5, 9, 7):
        record: Fetched = Read(timestamp=t_ms)
        held.add(record)
    assert (held.change_ms, held.newest_ms, held.erasure_ms) == (9, 9, None)

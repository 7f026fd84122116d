"""How long records stay, computed from settings. tests/streams/worker/test_rolling.py looks at a real disk."""

import pytest
from pydantic import ValidationError

from rules.ground.instants import MS_PER_DAY
from streams.settings import Deployment
from streams.wire.staying import BROKER_LOOKS_MS, Staying, judge_backups, judge_staying, staying
from streams.wire.topics import Topic, activation_topics, delivery_topic, kept_ms, topics

ONE = Deployment(partitions=1)
DELETED = {"cleanup.policy": "delete", "retention.ms": "1000", "segment.ms": "200"}
COMPACTED = {"cleanup.policy": "compact", "max.compaction.lag.ms": "1000", "delete.retention.ms": "5000"}


def test_a_deleted_record_waits_for_its_segment_and_for_the_retention() -> None:
    total_ms = 1_200 + BROKER_LOOKS_MS
    assert staying(DELETED, 50) == Staying(total_ms, total_ms)
    assert staying(DELETED | {"segment.jitter.ms": "7"}, 50).value_ms == total_ms + 7


def test_a_compacted_value_waits_for_a_roll_and_the_cleaner_and_its_key_for_a_tombstone_and_another() -> None:
    # a segment rolls at the earlier of segment.ms and max.compaction.lag.ms
    cleaned_ms = 1_050 + BROKER_LOOKS_MS
    for roll_ms in ("900000", "1000"):
        assert staying(COMPACTED | {"segment.ms": roll_ms}, 50) == Staying(cleaned_ms, 2 * cleaned_ms + 5_000)
    # the cleaner's longest wait counts from the record
    assert staying(COMPACTED | {"segment.ms": "10"}, 50).value_ms == 1_000 + BROKER_LOOKS_MS


def test_files_that_the_broker_deletes_late_count() -> None:
    for configs in (DELETED, COMPACTED):
        usual, late = (staying(configs | {"file.delete.delay.ms": value}, 50) for value in ("60000", "70000"))
        assert usual == staying(configs, 50)
        assert late.value_ms is not None
        assert usual.value_ms is not None
        assert late.value_ms - usual.value_ms == 10_000


@pytest.mark.parametrize(
    "configs",
    [
        DELETED | {"retention.ms": "-1"},
        DELETED | {"cleanup.policy": "compact,delete"},
        COMPACTED | {"max.compaction.lag.ms": "9223372036854775807"},
        {"cleanup.policy": "delete"},
        {},
    ],
)
def test_where_nothing_says_when_a_record_goes_it_stays_for_ever(configs: dict[str, str]) -> None:
    assert staying(configs, 50) == Staying(None, None)


def table(deployment: Deployment) -> list[Topic]:
    """Every topic that a deployment can have."""
    channels = activation_topics(deployment, ["email"])
    return [*topics(deployment), *channels, delivery_topic(deployment, "email")]


@pytest.mark.parametrize("days", [14, 15, 30, 31, 400])
def test_topics_as_they_are_made_let_a_person_go_in_time(days: int) -> None:
    deployment = Deployment(partitions=1, erasure_days_max=days)
    assert [found for topic in table(deployment) for found in judge_staying(topic, topic.configs, deployment)] == []


def test_the_retention_follows_the_deadline_up_to_thirty_days() -> None:
    kept = {days: kept_ms(Deployment(erasure_days_max=days)) / MS_PER_DAY for days in (0, 14, 30, 90)}
    assert kept == {0: 30, 14: 12, 30: 28, 90: 30}


@pytest.mark.parametrize(
    ("role", "config", "value"),
    [
        ("events", "retention.ms", str(30 * MS_PER_DAY)),
        ("events", "retention.ms", "-1"),
        ("dead_letters", "segment.ms", str(7 * MS_PER_DAY)),
        ("membership", "retention.ms", str(40 * MS_PER_DAY)),
        ("current", "delete.retention.ms", str(40 * MS_PER_DAY)),
        ("restricted_current", "max.compaction.lag.ms", "9223372036854775807"),
        ("activation", "retention.ms", "-1"),
        ("activation_current", "delete.retention.ms", str(40 * MS_PER_DAY)),
        ("activation_dead_letters", "retention.ms", "-1"),
    ],
)
def test_a_topic_that_keeps_a_person_for_longer_is_refused_unless_nobody_asks(
    role: str, config: str, value: str
) -> None:
    [topic] = [each for each in table(ONE) if each.role == role]
    configs = {**topic.configs, config: value}
    [found] = judge_staying(topic, configs, ONE)
    assert found.fatal
    assert config in found.remedy
    assert judge_staying(topic, configs, Deployment(partitions=1, erasure_days_max=0)) == []


@pytest.mark.parametrize("role", ["progress", "owners", "catalogues", "fills", "erasures"])
def test_a_topic_that_names_nobody_may_keep_its_records(role: str) -> None:
    [topic] = [each for each in table(ONE) if each.role == role]
    assert judge_staying(topic, {"cleanup.policy": "compact"}, ONE) == []


def test_backups_of_redis_count_too() -> None:
    assert judge_backups(Deployment(redis_backup_days=30)) == []
    [found] = judge_backups(Deployment(redis_backup_days=31))
    assert found.fatal
    assert judge_backups(Deployment(redis_backup_days=31, erasure_days_max=0)) == []


def test_a_deadline_that_tombstones_cannot_keep_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="give 14 or more, or 0"):
        Deployment(erasure_days_max=13)

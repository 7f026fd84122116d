"""Laws of reading: what Segue writes is read as it was meant, and what it did not write is refused at its place."""

from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from rules.engine.activations.change import ActivationChange, ActivationReason, activation_change
from streams.client import ActiveKey, Change, Content, Reason, Unreadable, read_change, read_standing
from streams.settings import Deployment
from streams.wire.maker import RecordMaker

SUBJECT = "hcp:é/1 2"
"""A subject may hold all of these: letters beyond ASCII, a blank, and a slash, which also separates an id's parts."""


@dataclass(frozen=True)
class Read:
    """A record as read."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 3
    offset: int = 41


def written(change: ActivationChange) -> tuple[Read, Read]:
    """Return the two records that Segue writes for a change: in the topic of changes, in the snapshot's topic."""
    changed, current = RecordMaker(Deployment()).change_records(3, change)
    first, second = (
        Read(each.topic, each.value, each.key, tuple((name, value or b"") for name, value in each.headers))
        for each in (changed, current)
    )
    return first, second


def made(*, activated: bool = True, **changes: Any) -> ActivationChange:
    reason = (
        ActivationReason("allowed", (), ("/crm evt-9",), "consent")
        if activated
        else ActivationReason("suppressed_by", ("treatment-initiation-programme",), ())
    )
    arguments: dict[str, Any] = {
        "generation": "g1",
        "subject": SUBJECT,
        "activation": "access-resources-email",
        "version": 2,
        "channel": "email",
        "activated": activated,
        "sequence": 4,
        "effective_ms": 1_772_373_900_012,
        "reason": reason,
        "journey": "access-2026",
        "content": {"asset": "AC-104", "intent": "access_resources", "claims": ["CLM-12"]},
        "arm": None,
    }
    return activation_change(**(arguments | changes))


def test_an_activation_is_read_as_it_was_written() -> None:
    change = read_change(written(made())[0])
    assert (change.id, change.generation, change.subject) == (f"g1/{SUBJECT}/email/4", "g1", SUBJECT)
    assert (change.activation, change.activation_version, change.channel) == ("access-resources-email", 2, "email")
    assert (change.activated, change.sequence, change.journey, change.arm) == (True, 4, "access-2026", None)
    assert change.effective_at.isoformat() == "2026-03-01T14:05:00.012000+00:00"
    assert change.reason == Reason("allowed", (), ("/crm evt-9",), "consent")
    assert change.content == Content("access_resources", "AC-104", None, None, None, None, ("CLM-12",))
    assert (change.topic, change.partition, change.offset) == ("activation.email", 3, 41)
    assert change.value == made().value


def test_a_deactivation_is_read_with_what_refuses() -> None:
    change = read_change(written(made(activated=False, arm="summary"))[0])
    assert not change.activated
    assert change.reason == Reason("suppressed_by", ("treatment-initiation-programme",), (), None)
    assert change.arm == "summary"


def test_the_snapshot_holds_an_activation_or_says_by_which_change_it_ended() -> None:
    key = ActiveKey(SUBJECT, "access-resources-email")
    standing = read_standing(written(made())[1])
    assert (standing.key, standing.sequence) == (key, 4)
    assert standing.active is not None
    assert standing.active.key == key
    ended = read_standing(written(made(activated=False, sequence=5))[1])
    assert (ended.key, ended.sequence, ended.active) == (key, 5, None)


def test_keys_of_a_later_version_are_passed_over() -> None:
    record = written(made())[0]
    value = orjson.loads(record.value or b"") | {"priority": 3}
    assert read_change(replace(record, value=orjson.dumps(value))).sequence == 4


def test_no_printed_value_names_a_profile() -> None:
    change = read_change(written(made())[0])
    for printed in (repr(change), str(change), repr(read_standing(written(made())[1]))):
        assert "é" not in printed
        assert "evt-9" not in printed


WRONG: dict[str, Any] = {
    "id": "g1/hcp:another/email/4",
    "profile": 7,
    "activation": None,
    "activation_version": True,
    "channel": "sms",
    "change": "entered",
    "sequence": -1,
    "effective_at": "2026-03-01T14:05:00",
    "reason": [],
    "journey": 1,
    "content": {"claims": ["CLM-12"]},
    "arm": {},
}


@pytest.mark.parametrize("key", sorted(WRONG))
def test_a_value_that_is_no_change_is_refused_without_naming_the_profile(key: str) -> None:
    record = written(made())[0]
    value = orjson.loads(record.value or b"")
    assert list(value) == list(WRONG)
    for wrong in ({**value, key: WRONG[key]}, {name: each for name, each in value.items() if name != key}):
        if key in ("journey", "arm") and key not in wrong:
            continue
        with pytest.raises(Unreadable) as refused:
            read_change(replace(record, value=orjson.dumps(wrong)))
        assert str(refused.value).startswith("activation.email partition 3 offset 41: ")
        assert "é" not in str(refused.value)
        assert "another" not in str(refused.value)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"1", b'{"id":', b"\xff"])
def test_what_is_no_object_is_refused(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read_change(replace(written(made())[0], value=value))


def test_a_record_under_another_key_is_refused() -> None:
    with pytest.raises(Unreadable, match="key"):
        read_change(replace(written(made())[0], key=b"hcp:another"))
    for key in (None, b"hcp:another", b"hcp:another|access-resources-email", b"\xff|x"):
        with pytest.raises(Unreadable, match="key"):
            read_standing(replace(written(made())[1], key=key))


def test_a_deactivation_does_not_stand_in_the_snapshot() -> None:
    changed, current = written(made(activated=False))
    with pytest.raises(Unreadable):
        read_standing(replace(current, value=changed.value))


def test_a_tombstone_without_a_changes_id_is_refused() -> None:
    current = written(made(activated=False))[1]
    wrong: tuple[Any, ...] = (b"g1/x/email/", b"7", b"g1/x/email/-1", None)
    for headers in ((), *((("ce_id", value),) for value in wrong)):
        with pytest.raises(Unreadable, match="ce_id"):
            read_standing(replace(current, headers=headers))


def test_a_change_is_a_value() -> None:
    change = read_change(written(made())[0])
    assert isinstance(change, Change)
    assert change == read_change(written(made())[0])
    assert hash(change.key) == hash(ActiveKey(SUBJECT, "access-resources-email"))

"""Laws of the wire: bytes are a pure function of what they say, and nothing is lost on the way to the dead letters."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from rules.engine.activations.change import ActivationChange, ActivationReason, activation_change
from rules.engine.change import Change, Reason, membership_change
from rules.engine.decode import Own, decode
from rules.engine.persons.effects import FACT_TYPE, Effect, seal
from rules.engine.record import EMPTY_DICTIONARY
from rules.engine.refusal import LETTER_CODES
from rules.ground.partitioning import partition_of
from streams.records import OutRecord
from streams.settings import Deployment
from streams.wire.maker import DEAD_LETTER_BYTES_MAX, RecordMaker
from streams.wire.payloads import DeadLetterPointer, MembershipChange

WIRE = RecordMaker(Deployment(generation="g7"), nonce="nonce")


@dataclass(frozen=True)
class Read:
    """A record as fetched."""

    offset: int = 41
    timestamp: int = 1_772_373_900_012
    timestamp_type: int = 1
    key: bytes | None = b"hcp:1"
    value: bytes | None = b"{"
    headers: tuple[tuple[str, bytes], ...] = field(default=())


def change(**changes: Any) -> Change:
    """The change of docs/language.md's example, in French."""
    arguments: dict[str, Any] = {
        "generation": "g7",
        "subject": "hcp:é1",
        "segment": "oncology-access-planners",
        "version": 3,
        "entered": True,
        "sequence": 17,
        "effective_ms": 1_772_373_900_012,
        "reason": Reason("entry_rule", ("enter.all[0]",), ("/portal evt-1",)),
        "layers": {"audience": "hcp", "stage": "evaluation"},
        "backfill": False,
    }
    return membership_change(**(arguments | changes))


def activation(*, activated: bool = True, **changes: Any) -> ActivationChange:
    """The example of docs/language.md, Activation changes."""
    reason = (
        ActivationReason("allowed", (), ("/crm evt-9",), "consent")
        if activated
        else ActivationReason("suppressed_by", ("treatment-initiation-programme",), ("/crm evt-9",))
    )
    arguments: dict[str, Any] = {
        "generation": "g1",
        "subject": "hcp:1234567893",
        "activation": "access-resources-email",
        "version": 2,
        "channel": "email",
        "activated": activated,
        "sequence": 4,
        "effective_ms": 1_772_373_900_012,
        "reason": reason,
        "journey": "access-2026",
        "content": {"asset": "AC-104", "intent": "access_resources", "claims": ["CLM-12"]},
        "arm": "summary",
    }
    return activation_change(**(arguments | changes))


HEADERS = (
    ("ce_specversion", b"1.0"),
    ("ce_id", "g7/hcp:é1/17".encode()),
    ("ce_type", b"segment.entered"),
    ("ce_source", b"/segue/g7"),
    ("ce_subject", "hcp:é1".encode()),
    ("ce_time", b"2026-03-01T14:05:00.012Z"),
    ("content-type", b"application/json"),
)


def test_an_entry_is_the_change_and_the_standing_membership_with_the_same_bytes() -> None:
    entered = change()
    key = "hcp:é1".encode()
    assert WIRE.change_records(3, entered) == [
        OutRecord("segment.membership", 3, key, entered.value, HEADERS),
        OutRecord("segment.membership.current", 3, key + b"|oncology-access-planners", entered.value, HEADERS),
    ]


def test_an_exit_is_the_change_and_a_tombstone() -> None:
    exited = change(entered=False, reason=Reason("max_stay"))
    first, second = WIRE.change_records(3, exited)
    assert first.value == exited.value
    assert dict(first.headers)["ce_type"] == b"segment.exited"
    assert second.key == "hcp:é1|oncology-access-planners".encode()
    assert second.value is None
    assert second.headers == first.headers[:-1]


def test_a_restricted_change_never_meets_the_public_topics() -> None:
    for entered in (True, False):
        topics = [record.topic for record in WIRE.change_records(0, change(restricted=True, entered=entered))]
        assert topics == ["segment.membership.restricted", "segment.membership.restricted.current"]


def test_the_same_change_has_the_same_bytes_in_every_worker() -> None:
    assert WIRE.change_records(3, change()) == RecordMaker(Deployment(generation="g7")).change_records(3, change())


def test_an_effect_goes_to_the_partition_of_its_target_whoever_wrote_it() -> None:
    [effect] = seal([Effect("hcp:é2", FACT_TYPE, {"x": 1})], "g7", "hcp:1", 41, 1_772_373_900_012)
    record = WIRE.effect(effect)
    key = "hcp:é2".encode()
    assert record == OutRecord(
        "engagement.events",
        partition_of(key, Deployment().partitions),
        key,
        effect.value,
        (("content-type", b"application/cloudevents+json"),),
        stamp_min_ms=1_772_373_900_012 - 300_000,
    )
    assert decode(record.value, record.headers, EMPTY_DICTIONARY, 0) == Own(FACT_TYPE, {"x": 1}, "hcp:é2")


def test_the_value_is_what_its_model_says() -> None:
    read = MembershipChange.model_validate_json(change().value)
    assert read.reason.kind == "entry_rule"
    assert read.layers.use_case is None


def origin(code: str) -> tuple[tuple[str, bytes], ...]:
    """The headers of a dead letter of partition 5."""
    return (
        ("segue_reason", code.encode()),
        ("segue_topic", b"engagement.events"),
        ("segue_partition", b"5"),
        ("segue_offset", b"41"),
    )


@pytest.mark.parametrize("code", LETTER_CODES)
def test_a_dead_letter_keeps_the_record_and_adds_reason_and_origin_only(code: str) -> None:
    headers = (("ce_id", b"1"), ("ce_id", b"2"), ("x", b""), ("content-type", b"\xff"))
    read = Read(value=b"\xff\x00{", headers=headers)
    assert WIRE.dead_letter(5, read, code) == OutRecord(
        "engagement.events.dlt", 5, b"hcp:1", b"\xff\x00{", headers + origin(code)
    )


def test_a_dead_letter_keeps_a_null_header_null() -> None:
    null: Any = None
    for value in (b"x", b"x" * 950_000):
        letter = WIRE.dead_letter(5, Read(value=value, headers=(("h", null),)), "not_json")
        assert letter.headers[0] == (("h", null) if value == b"x" else ("segue_reason", b"not_json"))


@pytest.mark.parametrize(("key", "value"), [(None, b"x"), (b"k", None), (b"", b"")])
def test_a_dead_letter_keeps_what_is_absent_absent(key: bytes | None, value: bytes | None) -> None:
    letter = WIRE.dead_letter(5, Read(key=key, value=value), "not_json")
    assert (letter.key, letter.value) == (key, value)


def test_a_record_of_nothing_has_a_dead_letter_that_clients_take() -> None:
    letter = WIRE.dead_letter(5, Read(key=None, value=None), "not_json")
    assert (letter.key, letter.value) == (None, b"")


def test_a_dead_letter_that_is_too_large_is_a_pointer() -> None:
    room = DEAD_LETTER_BYTES_MAX - len(b"hcp:1")
    assert WIRE.dead_letter(5, Read(value=b"x" * room), "too_large").value == b"x" * room
    letter = WIRE.dead_letter(5, Read(value=b"x" * (room + 1), headers=(("h", b"v"),)), "too_large")
    assert letter.key == b"hcp:1"
    assert letter.headers == (*origin("too_large"), ("segue_pointer", b"true"))
    assert DeadLetterPointer.model_validate_json(letter.value or b"") == DeadLetterPointer(
        topic="engagement.events", partition=5, offset=41, value_bytes=room + 1
    )


@pytest.mark.parametrize("read", [Read(key=b"k" * 950_000), Read(headers=(("h", b"v" * 950_000),))])
def test_a_large_key_or_header_is_left_out_too(read: Read) -> None:
    letter = WIRE.dead_letter(5, read, "too_large")
    size = len(letter.key or b"") + len(letter.value or b"") + sum(len(name) + len(v) for name, v in letter.headers)
    assert size < 1_000


def test_a_tick_is_a_cloudevent_of_our_own_with_an_id_of_its_own() -> None:
    first, second = WIRE.tick(2), WIRE.tick(2)
    assert (first.topic, first.partition, first.key) == ("engagement.events", 2, None)
    one, other = orjson.loads(first.value or b""), orjson.loads(second.value or b"")
    assert one["type"] == "segue.tick"
    assert one["source"] == "/segue/g7"
    assert one["specversion"] == "1.0"
    assert one["id"] != other["id"]
    assert decode(first.value, first.headers, EMPTY_DICTIONARY, 0) == Own("segue.tick", {})


def test_a_catalogue_record_names_the_catalogue() -> None:
    record = WIRE.catalogue(2, "c" * 64)
    assert decode(record.value, record.headers, EMPTY_DICTIONARY, 0) == Own("segue.catalogue", {"catalogue": "c" * 64})


def test_a_change_of_an_activation_goes_to_its_channel_and_to_who_is_active_there() -> None:
    change, active = RecordMaker(Deployment(generation="g1"), nonce="nonce").change_records(3, activation())
    assert (change.topic, change.key) == ("activation.email", b"hcp:1234567893")
    assert (active.topic, active.key) == ("activation.email.current", b"hcp:1234567893|access-resources-email")
    assert active.value == change.value == activation().value
    assert change.headers == active.headers
    assert dict(change.headers)["ce_type"] == b"activation.activated"
    assert dict(change.headers)["ce_id"] == b"g1/hcp:1234567893/email/4"


def test_a_deactivation_leaves_a_tombstone_of_its_activation_alone() -> None:
    change, active = WIRE.change_records(3, activation(activated=False))
    assert change.value == activation(activated=False).value
    assert (active.key, active.value) == (b"hcp:1234567893|access-resources-email", None)
    assert "content-type" not in dict(active.headers)

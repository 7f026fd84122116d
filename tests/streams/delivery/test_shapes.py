"""What each platform is told of a change, and how its limits are kept."""

from typing import Any

import orjson
import pytest

from rules.engine.activations.change import ActivationChange
from streams.client import Change, read_change
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import SHAPES, shape_of
from streams.delivery.shapes.base import kind_of
from streams.delivery.shapes.customerio import ulid
from streams.delivery.window import Parcel
from tests.streams.delivery.platform import API_KEY
from tests.streams.delivery.test_answers import NOW_MS, shape
from tests.streams.delivery.world import changes, erasures


class _Record:
    topic, partition, offset, headers = "activation.email", 0, 0, ()

    def __init__(self, made: ActivationChange) -> None:
        self.key, self.value = made.subject.encode(), made.value


def read(made: ActivationChange) -> Change:
    return read_change(_Record(made))


def parcels(name: str, made: list[ActivationChange]) -> list[Parcel]:
    return [
        Parcel(
            0,
            n,
            each.id,
            each.subject,
            each.activation,
            kind_of(read(each)),
            each.effective_ms,
            shape(name).parts(read(each)),
        )
        for n, each in enumerate(made)
    ]


def body(name: str, count: int = 2) -> tuple[Any, list[ActivationChange]]:
    made = changes(3, count, 50)
    return orjson.loads(shape(name).body(parcels(name, made))), made


def test_standard_carries_the_changes_as_published() -> None:
    found, made = body("standard")
    assert found["type"] == "activation.changes"
    assert found["timestamp"] == orjson.loads(made[1].value)["effective_at"]
    assert found["data"] == {"changes": [orjson.loads(each.value) for each in made]}
    assert all(each.value in shape("standard").body(parcels("standard", made)) for each in made)


def test_braze_gets_an_attribute_and_an_event() -> None:
    found, made = body("braze", 1)
    assert found == {
        "attributes": [{"external_id": made[0].subject, f"segue_email_{made[0].activation}": True}],
        "events": [
            {
                "external_id": made[0].subject,
                "name": "segue.activated",
                "time": "2026-03-01T14:05:00.000+00:00",
                "properties": {
                    "id": made[0].id,
                    "activation": made[0].activation,
                    "activation_version": 1,
                    "channel": "email",
                    "sequence": 1,
                    "reason": "allowed",
                    "journey": "access",
                    "content_asset": "AC-104",
                    "content_intent": "access_resources",
                    "content_claims": ["CLM-12"],
                },
            }
        ],
    }


def test_customerio_gets_identify_and_an_event_with_the_changes_own_ulid() -> None:
    found, made = body("customerio", 1)
    person = {"type": "person", "identifiers": {"id": made[0].subject}}
    identify, event = found["batch"]
    assert identify == {**person, "action": "identify", "attributes": {f"segue_email_{made[0].activation}": True}}
    assert event["id"] == ulid(made[0].effective_ms, made[0].id)
    assert (event["action"], event["name"], event["timestamp"]) == ("event", "segue.activated", 1_772_373_900)


def test_a_ulid_is_of_its_instant_and_name_alone_and_sorts_by_the_instant() -> None:
    assert ulid(0, "a") == ulid(0, "a") != ulid(0, "b")
    assert ulid(1, "a")[:10] == "0000000001"
    assert ulid((1 << 48) - 1, "a")[:10] == "7ZZZZZZZZZ"
    assert ulid(5, "z") < ulid(6, "a")


@pytest.mark.parametrize("name", SHAPES)
def test_bytes_are_counted_as_they_are_written(name: str) -> None:
    for count in (1, 2, 25):
        made = parcels(name, changes(5, count, 50))
        limits = shape(name).limits
        written = len(shape(name).body(made))
        assert written <= limits.overhead_bytes + sum(each.size_bytes for each in made)
        assert written >= sum(each.size_bytes for each in made)


@pytest.mark.parametrize("name", SHAPES)
def test_no_header_names_a_profile(name: str) -> None:
    made = parcels(name, changes(5, 3, 50))
    told = str(shape(name).headers(made, b"{}", NOW_MS))
    assert all(each.profile not in told for each in made)


@pytest.mark.parametrize("name", SHAPES)
def test_what_happened_to_a_person_goes_to_no_platform_but_as_published(name: str) -> None:
    made = changes(5, 1, 50)
    assert (b"/crm evt-1" in shape(name).body(parcels(name, made))) == (name == "standard")


def test_a_person_who_was_erased_is_deleted_and_nothing_else_is_told() -> None:
    ends = erasures(changes(3, 40, 30), 1)[:2]
    one, two = (each.subject for each in ends)
    assert orjson.loads(shape("braze").body(parcels("braze", ends))) == {"external_ids": [one, two]}
    assert orjson.loads(shape("customerio").body(parcels("customerio", ends))) == {
        "batch": [{"type": "person", "identifiers": {"id": each}, "action": "delete"} for each in (one, two)]
    }
    standard = orjson.loads(shape("standard").body(parcels("standard", ends)))
    assert [each["reason"]["kind"] for each in standard["data"]["changes"]] == ["erased", "erased"]


def test_an_address_of_braze_without_a_place_for_deletions_is_refused() -> None:
    values = {"shape": "braze", "api_key": API_KEY}
    for good in ("https://rest.example", "https://rest.example/", "https://proxy.example/braze/users/track"):
        shape_of(DeliverySettings.model_validate({**values, "url": good}))
    with pytest.raises(ValueError, match="ends with /users/track"):
        shape_of(DeliverySettings.model_validate({**values, "url": "https://proxy.example/hook"}))

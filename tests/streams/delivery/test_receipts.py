"""What a receipt says of an answer, and that it names nobody."""

from streams.delivery.answers import Answer, Told, judge
from streams.delivery.receipts import UNKNOWN, Receipts
from streams.delivery.route import Route
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.window import Parcel
from streams.settings import Deployment, Settings
from streams.wire.erasures import DeletionReceipt, read_erasures

DELIVERY = DeliverySettings.model_validate({"shape": "braze", "api_key": "synthetic"})
SHAPE = shape_of(DELIVERY)
RECEIPTS = Receipts(Route("email", Deployment(), Settings(), DELIVERY, SHAPE), "rest.example")
AT_MS = 1_772_373_905_012


def deletion(offset: int, erasure: str = "/crm gone-1", also: tuple[tuple[str, int], ...] = ()) -> Parcel:
    return Parcel(
        3, offset, "g1/hcp:1234567893/email/4", "hcp:1234567893", "a", "erased", 0, (b"x",), erasure=erasure, also=also
    )


def receipts(parcel: Parcel, told: Told) -> list[DeletionReceipt]:
    records = RECEIPTS.accepted([parcel], told, AT_MS)
    assert not any(b"1234567893" in (each.key or b"") + (each.value or b"") for each in records)
    assert {(each.topic, each.partition) for each in records} <= {("segue.erasures", 3)}
    found = read_erasures(each.value for each in records)
    assert [each.key for each in records] == [each.erasure.encode() for each in found]
    return [each for each in found if isinstance(each, DeletionReceipt)]


def told_by(headers: dict[str, str], body: bytes = b"{}") -> Told:
    verdict = judge(Answer(201, headers, body), SHAPE, 2, AT_MS, deletes=True)
    return verdict.told  # type: ignore[union-attr]


def test_a_deletion_that_takes_the_place_of_others_answers_for_each_erasure() -> None:
    found = receipts(deletion(9, also=(("/crm gone-1", 4), ("/crm gone-0", 2))), Told(201, 5, "r-1", 4))
    assert [(each.erasure, each.offsets) for each in found] == [("/crm gone-1", (4, 9)), ("/crm gone-0", (2,))]
    assert {(each.status, each.persons, each.deleted, each.request_id) for each in found} == {(201, 5, 4, "r-1")}
    assert {each.at for each in found} == {"2026-03-01T14:05:05.012Z"}


def test_a_change_that_is_no_erasure_has_no_receipt_and_one_without_an_event_has_one() -> None:
    change = Parcel(3, 1, "g1/hcp:1234567893/email/1", "hcp:1234567893", "a", "activated", 0, (b"x",))
    assert RECEIPTS.accepted([change], Told(201), AT_MS) == RECEIPTS.refused(change, "http_400", Told(400), AT_MS) == []
    assert [each.erasure for each in receipts(deletion(1, ""), Told(201))] == [UNKNOWN]


def test_the_platforms_own_id_is_kept_where_it_is_one_and_names_nobody() -> None:
    for headers, kept in (
        ({"x-request-id": "0af7-651/9"}, "0af7-651/9"),
        ({"request-id": "b", "x-correlation-id": "c"}, "b"),
        ({"x-request-id": "Dr. Example", "x-correlation-id": "c"}, "c"),
        ({"x-request-id": "x" * 129}, None),
        ({"x-request-id": "for-1234567893"}, None),
        ({}, None),
    ):
        assert [each.request_id for each in receipts(deletion(1), told_by(headers))] == [kept]


def test_how_many_persons_are_deleted_is_kept_where_it_is_a_number() -> None:
    for body, kept in (
        (b'{"deleted":2,"message":"success"}', 2),
        (b'{"deleted":true}', None),
        (b'{"deleted":-1}', None),
        (b'{"deleted":"hcp:1234567893"}', None),
        (b"[2]", None),
        (b"half an ans", None),
    ):
        assert [each.deleted for each in receipts(deletion(1), told_by({}, body))] == [kept]

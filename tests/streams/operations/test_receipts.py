"""What the records of erasures say together: who was asked, who answered, and whether everything is accepted."""

from dataclasses import replace

from streams.operations.receipts import ChannelAnswers, all_settled, answers_of
from streams.wire.erasures import DeletionReceipt, ErasureAsked, ErasureRecord, ErasureTold

FIRST, AGAIN = "/segue/erase 1", "/segue/erase 2"
AT = "2026-03-01T14:05:00.012Z"
ASKED = ErasureAsked(FIRST, "DSR-1", AT, 2)
TOLD = ErasureTold(FIRST, {"email": 2}, {"sms": 1})
ANSWER = DeletionReceipt(FIRST, "email", "braze", "rest", "accepted", "", 201, None, 1, 1, AT, 3, (7, 9))
REFUSED = replace(ANSWER, outcome="refused", code="item_refused")
ON_REQUEST = replace(ANSWER, channel="sms", offsets=())


def channels(*said: ErasureRecord) -> dict[str, ChannelAnswers]:
    [found] = answers_of([ASKED, *said], "DSR-1")
    return {each.channel: each for each in found.channels}


def settled(*said: ErasureRecord) -> bool:
    return all_settled(answers_of([ASKED, *said], "DSR-1"))


def test_everything_is_settled_when_each_change_is_accepted_and_no_subject_is_left() -> None:
    assert not settled()
    assert not settled(TOLD)
    assert not settled(TOLD, ANSWER)
    assert settled(TOLD, ANSWER, ON_REQUEST)
    assert not settled(TOLD, replace(ANSWER, offsets=(7,)), ON_REQUEST)
    assert settled(replace(TOLD, channels={}, silent={}))


def test_each_change_counts_once_and_its_last_answer_decides() -> None:
    twice = channels(TOLD, ANSWER, replace(ANSWER, offsets=(9,)))["email"]
    assert (twice.accepted, twice.refused, twice.waiting) == (2, 0, 0)
    later = "2026-03-01T14:06:00.000Z"
    assert channels(TOLD, ANSWER, replace(REFUSED, offsets=(9,), at=later))["email"].refused == 1
    assert channels(TOLD, replace(ANSWER, at=later), REFUSED)["email"].refused == 0


def test_a_deletion_on_request_answers_for_a_subject_and_a_refused_one_does_not() -> None:
    assert channels(TOLD)["sms"].silent == 1
    assert channels(TOLD, ON_REQUEST)["sms"].silent == 0
    assert channels(TOLD, replace(ON_REQUEST, outcome="refused"))["sms"].silent == 1


def test_two_runs_that_ask_for_one_subject_do_not_answer_for_another() -> None:
    two = replace(TOLD, silent={"sms": 2})
    once, again, both = (replace(ON_REQUEST, asking=run) for run in ("1", "2", "3"))
    assert channels(two, once, again)["sms"].silent == 1
    assert not settled(two, ANSWER, once, again)
    assert settled(two, ANSWER, once, both, both)


def test_an_erasure_is_found_by_its_reference_or_its_id_and_no_other_is() -> None:
    other = replace(ASKED, erasure="/segue/erase 11", request="DSR-11")
    for reference in ("DSR-1", "1", FIRST):
        assert [each.erasure for each in answers_of([other, ASKED, TOLD], reference)] == [FIRST]
    assert answers_of([ASKED, TOLD, ANSWER], "DSR") == []


def test_an_erasure_that_was_not_seen_through_is_made_up_for_by_a_later_one() -> None:
    again = (
        replace(ASKED, erasure=AGAIN, at="2026-03-02T14:05:00.012Z"),
        ErasureTold(AGAIN, {}, {"email": 1}),
        replace(ON_REQUEST, erasure=AGAIN, channel="email"),
    )
    assert not settled(*again[:1])
    assert not settled(*again[:2])
    assert settled(*again)
    assert not settled(*again, REFUSED)


def test_of_an_erasure_that_a_producer_sent_only_answers_are_known() -> None:
    sent = replace(ANSWER, erasure="/crm gone-1")
    [found] = answers_of([sent], "gone-1")
    assert (found.asked, found.seen_through, found.channels[0].changes) == (None, False, None)
    assert all_settled([found])
    assert not all_settled(answers_of([replace(REFUSED, erasure="/crm gone-1")], "gone-1"))

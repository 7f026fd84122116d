"""Which records of a partition are kept for one profile: each that may move it, however its JSON is written."""

import json

import orjson
import pytest

from rules.engine.persons.effects import FACT_TYPE, Effect, seal
from streams.operations.concerning import Concerning, History

SUBJECT = "hcp:a/b"
OTHER = "hcp:c/d"


def history(subject: str) -> bytes:
    """Write a history of one profile that holds no event."""
    return json.dumps({"type": "segue.history", "subject": subject, "data": {"cut": 1, "events": []}}).encode()


@pytest.mark.parametrize(
    "written",
    [
        history(SUBJECT),
        history(SUBJECT).replace(b"/", b"\\/"),
        history(SUBJECT).replace(b"/", b"\\u002f"),
        history(SUBJECT).replace(b"segue", b"\\u0073egue"),
        history(SUBJECT).replace(b"segue", b"\\u0073egue").replace(b"/", b"\\/"),
    ],
)
def test_a_history_of_the_profile_is_kept_however_it_is_written(written: bytes) -> None:
    assert json.loads(written) == json.loads(history(SUBJECT))
    assert Concerning(SUBJECT)(None, written, ())
    assert History(SUBJECT)(None, written, ())


def test_a_history_in_headers_is_kept() -> None:
    headers = [("ce_type", b"segue.history"), ("ce_subject", SUBJECT.encode())]
    assert Concerning(SUBJECT)(None, b'{"cut":1,"events":[]}', headers)
    assert History(SUBJECT)(None, b'{"cut":1,"events":[]}', headers)


def test_a_history_of_another_profile_is_passed_over() -> None:
    assert not Concerning(SUBJECT)(OTHER.encode(), history(OTHER), ())
    assert not Concerning("hcp:1")(OTHER.encode(), history(OTHER).replace(b"/", b"\\/"), ())
    assert not History(SUBJECT)(OTHER.encode(), history(OTHER), ())


def effect(subject: str) -> bytes:
    """Write an effect on a profile, as Segue does."""
    [made] = seal([Effect(subject, FACT_TYPE, {"type": "segue.catalogue"})], "g1", OTHER, 1, 0)
    return made.value


def test_an_effect_concerns_its_target_only() -> None:
    assert Concerning(SUBJECT)(SUBJECT.encode(), effect(SUBJECT), ())
    assert not Concerning(SUBJECT)(OTHER.encode(), effect(OTHER), ())


def test_a_record_that_only_speaks_of_an_effect_is_kept() -> None:
    catalogue = orjson.dumps({"type": "segue.catalogue", "data": {"said": {"type": "segue.fact"}}})
    assert Concerning(SUBJECT)(None, catalogue, ())


def test_an_event_is_no_history_whatever_it_says() -> None:
    event = json.dumps({"type": "said", "subject": SUBJECT, "data": {"text": "\u00e9"}}).encode()
    assert b"\\u00e9" in event
    assert Concerning(SUBJECT)(SUBJECT.encode(), event, ())
    assert not History(SUBJECT)(SUBJECT.encode(), event, ())

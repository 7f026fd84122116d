"""Where a line goes: by its subject, to no partition in particular, or nowhere."""

import pytest

from streams.operations.send import Sent, _key_of


@pytest.mark.parametrize(
    ("line", "own", "key"),
    [
        (b'{"type":"portal.login","subject":"hcp:1"}', False, b"hcp:1"),
        (b'{"type":"segue.tick","subject":"hcp:1"}', True, None),
        (b'{"subject":"hcp:\xc3\xa9"}', False, "hcp:é".encode()),
        (b'{"type":"portal.login","subject":""}', False, None),
        (b'{"type":"portal.login","subject":7}', False, None),
        (b'{"type":"portal.login"}', False, None),
        (b"[1]", False, None),
        (b"not json", False, None),
    ],
)
def test_the_subject_is_the_key_and_the_workers_own_types_are_left_out(
    line: bytes, own: bool, key: bytes | None
) -> None:
    assert _key_of(line) == (own, key)


def test_what_was_sent_is_one_json_value() -> None:
    sent = Sent(sent=2, without_subject=1, own=0, too_large=0, bytes=80, seconds=0.12345)
    assert list(sent.as_json().items()) == [
        ("sent", 2),
        ("without_subject", 1),
        ("own", 0),
        ("too_large", 0),
        ("bytes", 80),
        ("seconds", 0.123),
    ]

"""Standard Webhooks: the specification's vector, and what a secret must be."""

import re

import pytest

from streams.delivery.signing import message_id, read_secret, sign, signed_headers

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret in the test vector of the specification's own libraries."""


def test_the_specifications_vector() -> None:
    made = sign(read_secret(VECTOR_SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs() -> None:
    old, new = read_secret(VECTOR_SECRET), b"n" * 32
    headers = signed_headers([new, old], "msg_1", 7, b"{}")
    assert headers["webhook-signature"] == f"{sign(new, 'msg_1', 7, b'{}')} {sign(old, 'msg_1', 7, b'{}')}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "7")


def test_a_message_id_is_of_its_changes_and_names_nobody() -> None:
    ids = ["g1/hcp:1.2/email/1", "g1/hcp:2/email/1"]
    assert message_id(ids) == message_id(iter(ids)) != message_id(reversed(ids))
    assert re.fullmatch("msg_[0-9a-f]{40}", message_id(ids))


@pytest.mark.parametrize("text", ["whsec_", "whsec_short", "whsec_!!!!", "whsec_" + "A" * 100, "é" * 40])
def test_a_bad_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="a signing secret") as refused:
        read_secret(text)
    assert text not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_secret_without_its_prefix_or_padding_is_the_same() -> None:
    assert read_secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == read_secret(VECTOR_SECRET)
    assert read_secret("whsec_" + "QUFB" * 8 + "QQ") == b"A" * 25

"""The keys that name erased people: read from the settings, shown nowhere."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from streams.erasure_settings import ErasureSettings
from streams.errors import Incident
from streams.operations.errors import WrongRequest
from streams.operations.settings import read_settings
from streams.store.erasure_keys import NO_KEYS, ErasureKeys

ONE, TWO = "one-key-of-32-characters-or-more!", "two-key-of-32-characters-or-more!"


def of(**settings: Any) -> ErasureKeys:
    return ErasureKeys.of(ErasureSettings(**settings))


def test_a_name_is_the_hmac_of_the_subject_by_each_key() -> None:
    by_hand = [
        urlsafe_b64encode(hmac.new(key.encode(), "hcp:é".encode(), hashlib.sha256).digest()).rstrip(b"=")
        for key in (ONE, TWO)
    ]
    assert ErasureKeys.read(f"{ONE}\n{TWO}").names("hcp:é") == by_hand
    assert len(by_hand[0]) == 43
    assert NO_KEYS.names("hcp:é") == []


def test_keys_stand_one_a_line_and_count_once() -> None:
    assert ErasureKeys.read(f"\n {ONE} \r\n\n{TWO}\n{ONE}\n") == ErasureKeys.read(f"{ONE}\n{TWO}")
    assert not NO_KEYS
    assert of() == NO_KEYS


def test_a_file_holds_them_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{ONE}\n{TWO}\n")
    assert of(erasure_key_file=file) == of(erasure_key=f"{ONE}\n{TWO}")


def test_what_is_wrong_is_said_in_a_sentence_without_the_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"erasure_key": f"{ONE}\nsecret"},
            "SEGUE_ERASURE_KEY: the key in line 2 has 6 characters, and 32 are the least:"
            " `openssl rand -base64 32` makes one",
        ),
        (
            {"erasure_key": ONE, "erasure_key_file": file},
            "SEGUE_ERASURE_KEY: it is set, and SEGUE_ERASURE_KEY_FILE too; set one of them",
        ),
        ({"erasure_key_file": file}, f"SEGUE_ERASURE_KEY_FILE: {file}: No such file or directory"),
        (
            {"erasure_key": " \n "},
            "SEGUE_ERASURE_KEY: it holds no key; `openssl rand -base64 32` makes one, or unset it",
        ),
    ]
    for settings, sentence in cases:
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            of(**settings)


def test_the_settings_of_a_deployment_are_refused_with_that_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_ERASURE_KEY", "too short")
    with pytest.raises(WrongRequest, match="the key in line 1 has 9 characters, and 32 are the least"):
        read_settings()
    monkeypatch.setenv("SEGUE_ERASURE_KEY", ONE)
    _, settings = read_settings()
    assert ErasureKeys.of(settings).names("hcp:1") == ErasureKeys.read(ONE).names("hcp:1")


def test_nothing_that_is_printed_holds_a_key() -> None:
    keys = ErasureKeys.read(f"{ONE}\n{TWO}")
    shown = f"{keys!r} {keys} {ErasureSettings(erasure_key=ONE)!r} {keys.fingerprints}"
    assert "key-of-32" not in shown
    assert keys.fingerprints == tuple(ErasureKeys.read(each).fingerprints[0] for each in (ONE, TWO))
    assert len(set(keys.fingerprints)) == 2


def test_a_key_that_is_lacking_is_told_by_its_fingerprint_with_what_to_do() -> None:
    one, both = ErasureKeys.read(ONE), ErasureKeys.read(f"{TWO}\n{ONE}")
    both.check(one.fingerprints)
    one.check(())
    with pytest.raises(Incident) as wrong:
        one.check(both.fingerprints)
    assert str(wrong.value) == (
        "erased people are known in Redis by a key that this process does not have"
        f" ({both.fingerprints[0]}), so it would take them for strangers: add it to SEGUE_ERASURE_KEY,"
        " each key in a line of its own"
    )
    with pytest.raises(Incident, match=r"by keys that this process does not have .*: add them to"):
        NO_KEYS.check(both.fingerprints)

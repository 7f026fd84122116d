"""Settings: what is missing or wrong is named, and no secret is ever repeated."""

from pathlib import Path

import pytest

from streams.delivery.settings import DeliverySettings
from streams.operations.errors import WrongRequest
from streams.operations.settings import read_delivery_settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "SEGUE_DELIVER_URL is not set"),
        ({"URL": "ftp://crm.example/x"}, "SEGUE_DELIVER_URL: it begins with https://"),
        ({"URL": "http://crm.example/x"}, "SEGUE_DELIVER_URL: http:// only to this machine"),
        ({"URL": "https://someone:hidden@crm.example/"}, "SEGUE_DELIVER_URL: no user or password"),
        ({"URL": "https://crm.example/"}, "SEGUE_DELIVER_SECRETS is not set"),
        ({"URL": "https://crm.example/", "SECRETS": "whsec_hidden"}, "SEGUE_DELIVER_SECRETS: a signing secret"),
        ({"URL": "https://crm.example/", "SHAPE": "braze"}, "SEGUE_DELIVER_API_KEY is not set"),
        ({"URL": "https://crm.example/", "SHAPE": "customerio", "API_KEY": "hidden"}, "SEGUE_DELIVER_SITE_ID is not"),
        ({"URL": "https://crm.example/", "SHAPE": "other"}, "SEGUE_DELIVER_SHAPE: "),
        (
            {"URL": "https://crm.example/", "SHAPE": "braze", "API_KEY": "hid\nden"},
            "SEGUE_DELIVER_API_KEY: there is a control character in it",
        ),
        (
            {"URL": "https://crm.example/", "SHAPE": "braze", "API_KEY": "k", "CHANGES_MAX": "0"},
            "SEGUE_DELIVER_CHANGES_MAX: ",
        ),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_usage_and_hides_its_secret(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in settings.items():
        monkeypatch.setenv(f"SEGUE_DELIVER_{key}", value)
    with pytest.raises(WrongRequest) as failure:
        read_delivery_settings()
    assert failure.value.lines[0].startswith(said)
    assert "hidden" not in str(failure.value.lines)
    assert failure.value.__cause__ is None


def test_a_line_end_after_a_credential_is_none_of_it() -> None:
    found = DeliverySettings.model_validate(
        {"url": "https://crm.example/\n", "api_key": "key\n", "site_id": " id \r\n"}
    )
    assert (found.url, found.api_key.get_secret_value(), found.site_id) == ("https://crm.example/", "key", "id")


def test_settings_show_no_secret() -> None:
    found = DeliverySettings.model_validate({"secrets": "whsec_hidden", "api_key": "hidden"})
    assert "hidden" not in repr(found)
    assert "hidden" not in found.model_dump_json()


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:8080"])
def test_http_is_for_this_machine(host: str) -> None:
    assert DeliverySettings.model_validate({"url": f"http://{host}/hooks"}).url


def test_secrets_may_stand_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a-key\n")
    monkeypatch.setenv("SEGUE_DELIVER_API_KEY_FILE", str(file))
    monkeypatch.setenv("SEGUE_DELIVER_SECRETS_FILE", "")
    found = DeliverySettings()
    assert found.api_key.get_secret_value() == "a-key"
    assert found.secrets.get_secret_value() == ""
    assert "a-key" not in repr(found)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"API_KEY": "CANARY", "API_KEY_FILE": "x"},
            "SEGUE_DELIVER_API_KEY: it is set, and SEGUE_DELIVER_API_KEY_FILE too",
        ),
        ({"SECRETS_FILE": "/no/such"}, "SEGUE_DELIVER_SECRETS_FILE: /no/such: No such file or directory"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in {"URL": "https://x.example", **variables}.items():
        monkeypatch.setenv(f"SEGUE_DELIVER_{name}", value)
    with pytest.raises(WrongRequest) as wrong:
        read_delivery_settings()
    assert str(wrong.value).startswith(said)
    assert "CANARY" not in str(wrong.value)

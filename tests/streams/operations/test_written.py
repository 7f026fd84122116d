"""Writing a stored catalogue out: byte for byte, without a plain key, and never outside its folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from rules.catalogue.applied import Applied
from rules.catalogue.loading import load_catalogue
from rules.catalogue.stored import catalogue_json
from streams.operations.errors import CatalogueUnusable, FolderNotEmpty, WrongRequest
from streams.operations.in_force import Kept
from streams.operations.without_key import policy_text_without
from streams.operations.written import write_out
from streams.operations.yaml_files import read_folder, read_yaml
from streams.operations.yaml_text import yaml_text

TEXTS = {
    "dictionary.yaml": "# ours\r\nevents:\r\n  portal.login: {}\r\n",
    "segments/a/b.yaml": "segment: b  # é\nversion: 1\nstatus: approved\nenter: {everyone: true}\ntitle: 'NO'\n",
}


def kept(texts: dict[str, str], *, as_text: bool = True) -> Kept:
    catalogue = load_catalogue([read_yaml(text.encode(), name) for name, text in texts.items()])
    data = catalogue_json(catalogue, Applied("ada", 0), texts=texts if as_text else None)
    return Kept(catalogue.hash, json.loads(data))


def test_every_file_comes_out_byte_for_byte(tmp_path: Path) -> None:
    written = write_out(kept(TEXTS), tmp_path / "new" / "folder")
    assert (written.files, written.as_applied) == (tuple(sorted(TEXTS)), True)
    for name, text in TEXTS.items():
        assert (tmp_path / "new" / "folder" / name).read_bytes() == text.encode()


def test_a_record_without_texts_gives_files_that_mean_the_same(tmp_path: Path) -> None:
    record = kept(TEXTS, as_text=False)
    assert not write_out(record, tmp_path / "new").as_applied
    assert load_catalogue(read_folder(tmp_path / "new")).hash == record.hash


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    with pytest.raises(FolderNotEmpty, match="is not empty, and nothing was written"):
        write_out(kept(TEXTS), tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / ".hidden"]
    with pytest.raises(WrongRequest, match="this is a file"):
        write_out(kept(TEXTS), tmp_path / ".hidden")


@pytest.mark.parametrize("name", ["segments/../../out.yaml", "/etc/out.yaml", "other.txt"])
def test_a_record_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    record = Kept("0" * 64, {"files": {name: {}}})
    with pytest.raises(CatalogueUnusable):
        write_out(record, tmp_path / "inner")
    assert not (tmp_path / "inner").exists()


@pytest.mark.parametrize(
    "text",
    [
        "assignment_key: secret-key\ncaps: []\n",
        "# c\nassignment_key: 'secret-key' # was secret-key\r\ncaps: []\r\n",
        "{assignment_key: secret-key, caps: []}\n",
        "caps: []\nassignment_key: >-\n  secret-key\n",
        "# secret-key is ours\nassignment_key: secret-key\ncaps: []\n",
        '"assignment_key":\n  "secret-\\\n  key"\ncaps: []',
    ],
)
def test_a_plain_key_never_stays_in_the_text_of_a_policy(text: str) -> None:
    written = policy_text_without(text)
    assert "secret-key" not in written
    value = read_yaml(written.encode(), "policy.yaml").value
    assert value["caps"] == []
    assert value["assignment_key"]["setting"] == "SEGUE_ASSIGNMENT_KEY"


def test_only_the_line_of_the_key_is_another() -> None:
    written = policy_text_without("# ours\n\nassignment_key: secret-key # s\ncaps: []  # none\n")
    first, blank, key, caps = written.splitlines()
    assert (first, blank, caps) == ("# ours", "", "caps: []  # none")
    assert key.startswith("assignment_key: {setting: SEGUE_ASSIGNMENT_KEY, fingerprint: k1-")


@pytest.mark.parametrize(
    "value",
    [
        {"z": "NO", "a": "2027-01-31", "c": "12:30", "d": None, "e": "null", "f": "1e3", "g": "0o7", "h": "~"},
        {"a": 1.5, "b": 10.0, "c": True, "d": "é\n x", "e": [{"z": 1, "a": {}}], "f": "<<", "g": " lead", "h": "# c"},
        None,
        {},
    ],
)
def test_yaml_text_reads_back_as_it_was(value: Any) -> None:
    source = read_yaml(yaml_text(value).encode(), "x.yaml")
    assert source.syntax == ()
    assert source.value == value
    assert value is None or list(source.value) == list(value)

"""How a catalogue was applied: written into its record, and read again."""

import json

import pytest

from rules.catalogue.applied import Applied, GitState, read_applied
from rules.catalogue.stored import applied_of, catalogue_json, load_catalogue_json
from tests.rules.catalogues import load

AT_MS = 1_772_373_905_012
WHOLE = Applied("ada", AT_MS, "two views", GitState("a" * 40, clean=False), "b" * 64, "the wrong dose was advertised")
FILES = {"segments/a.yaml": "segment: a\nversion: 1\nstatus: approved\nenter: {everyone: true}\n"}


@pytest.mark.parametrize("applied", [Applied("ada", AT_MS), WHOLE])
def test_how_a_catalogue_was_applied_is_read_as_it_was_written(applied: Applied) -> None:
    catalogue = load(FILES)
    data = catalogue_json(catalogue, applied)
    assert applied_of(data) == applied
    assert load_catalogue_json(data).hash == catalogue.hash


def test_a_record_of_an_older_version_does_not_say_how_it_was_applied() -> None:
    catalogue = load(FILES)
    assert applied_of(catalogue_json(catalogue)) is None
    assert load_catalogue_json(catalogue_json(catalogue)).hash == catalogue.hash


def test_keys_of_a_newer_version_are_passed_over() -> None:
    assert read_applied({**WHOLE.as_json(), "weather": "rain"}) == WHOLE


@pytest.mark.parametrize("value", [None, "ada", {}, {"by": "ada"}, {"by": "ada", "at": "yesterday"}])
def test_what_cannot_be_read_is_nothing(value: object) -> None:
    assert read_applied(value) is None


def test_a_text_that_is_no_catalogue_does_not_say_how_it_was_applied() -> None:
    assert applied_of(b"{") is None
    assert applied_of(json.dumps([1]).encode()) is None

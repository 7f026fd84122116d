"""An apply gives pilots the versions before them, and refuses where it cannot know these."""

import pytest

from rules.preview.parts import parts_of
from streams.operations.applying.pilots import complete
from streams.operations.errors import CatalogueRefused, PilotsUnknown
from tests.rules.catalogue.test_pilots import FIRST, SECOND, segment
from tests.rules.catalogues import load

EVERYBODY = {"segments/t.yaml": segment(1, "{everyone: true}", name="t")}


def test_a_pilot_over_a_catalogue_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(PilotsUnknown, match="the pilot s leaves others under the version in force"):
        complete(load(SECOND), None, readable=False)
    whole = complete(load(SECOND), load(FIRST), readable=True)
    assert complete(whole, None, readable=False) is whole
    assert complete(load(FIRST), None, readable=False).before == {}


def test_a_version_before_that_does_not_load_refuses_the_catalogue() -> None:
    old = load({**FIRST, **EVERYBODY, "segments/s.yaml": segment(1, "{segment: t}")})
    with pytest.raises(CatalogueRefused, match=r"segments/s\.yaml:5:1: the version before this pilot"):
        complete(load(SECOND), old, readable=True)


def test_a_preview_counts_a_pilot_by_itself_with_the_version_before_it() -> None:
    old = load(FIRST)
    new = complete(load({**SECOND, **EVERYBODY}), old, readable=True)
    by_name = {each.name: each.catalogue for each in parts_of(old, new)}
    alone, other = by_name["s"], by_name["t"]
    assert alone is not None
    assert other is not None
    assert (alone.approved["s"].version, alone.before["s"].version, "t" in alone.approved) == (2, 1, False)
    assert (other.approved["s"].version, other.before) == (1, {})

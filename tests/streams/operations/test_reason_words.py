"""The reasons of published changes, in words."""

from typing import get_args

import pytest

from rules.ground.reasons import ExitReason
from streams.operations.reason_words import why_moved


def test_a_membership_that_ends_or_goes_on_with_a_link_says_what_the_link_did() -> None:
    assert why_moved("merged", entered=False) == "merged: stands for another subject now, or has no facts left"
    assert why_moved("merged", entered=True) == "merged: goes on with the stay of a subject that stands for it now"
    assert why_moved("erased", entered=False) == "erased: everything about it is forgotten"


@pytest.mark.parametrize("kind", sorted({*get_args(ExitReason), "entry_rule"} - {"merged", "erased"}))
def test_every_other_reason_is_its_kind(kind: str) -> None:
    assert why_moved(kind, entered=False) == kind.replace("_", " ")

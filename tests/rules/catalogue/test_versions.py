"""A version stands for one text: which catalogues an apply takes, after which."""

from collections.abc import Sequence

import pytest

from rules.catalogue.versions import (
    Ledger,
    Version,
    definitions_in,
    definitions_of,
    extend,
    read_ledger,
    text_digest,
    version_problems,
    write_ledger,
)
from tests.rules.catalogues import load


def segment(version: int, text: str = "a", status: str = "approved") -> dict[str, object]:
    return {"segment": "s", "version": version, "status": status, "enter": {"everyone": True}, "title": text}


def said(new: dict[str, object], *before: dict[str, object] | None) -> str:
    """Apply catalogues of one segment, or of none, one after the other; return what is wrong with the last."""
    ledger: Ledger = {}
    in_force: dict[str, object] = {}
    for each in before:
        in_force = {} if each is None else {"segments/s.yaml": each}
        ledger = extend(ledger, definitions_in(in_force))
    found = version_problems(definitions_in({"segments/s.yaml": new}), definitions_in(in_force), ledger)
    return "; ".join(each.message for each in found)


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ([], segment(7)),
        ([segment(1)], segment(1)),
        ([segment(1)], segment(2)),
        ([segment(1)], segment(2, "b")),
        ([segment(1)], segment(9, "b")),
        ([segment(2), None], segment(2)),
        ([segment(2), None], segment(3, "b")),
        ([segment(2)], segment(2, status="retired")),
        ([segment(2), segment(2, status="retired")], segment(2)),
        # back at 1 with 2 known: 1 stays, 2 is that text again, 3 is new
        ([segment(1), segment(2, "b"), segment(1)], segment(1)),
        ([segment(1), segment(2, "b"), segment(1)], segment(2, "b")),
        ([segment(1), segment(2, "b"), segment(1)], segment(3, "c")),
        # nothing that is not in force was published
        ([segment(1)], segment(1, "b", "draft")),
        ([segment(2, "b", "draft")], segment(1, "c")),
        ([segment(2, "b", "in_review")], segment(2, "c")),
    ],
)
def test_a_version_that_stands_for_one_text_is_taken(
    before: Sequence[dict[str, object]], new: dict[str, object]
) -> None:
    assert said(new, *before) == ""


@pytest.mark.parametrize(
    ("before", "new", "expected"),
    [
        ([segment(1)], segment(1, "b"), "differs from what is in force as version 1; write version: 2"),
        ([segment(1)], segment(1, "b", "retired"), "differs from what is in force as version 1; write version: 2"),
        ([segment(3)], segment(2), "version 2 of segment 's' is lower than 3, in force; write version: 4"),
        ([segment(3)], segment(2, "b"), "is lower than 3, in force; write version: 4; `segue apply --back`"),
        ([segment(3), None], segment(2), "version 2 of segment 's' is lower than 3, once in force; write version: 4"),
        ([segment(3), None], segment(3, "b"), "was in force before with another text; write version: 4"),
        ([segment(1), segment(2, "b"), segment(1)], segment(2, "c"), "with another text; write version: 3"),
        ([segment(1), segment(5, "b"), segment(1)], segment(2, "c"), "lower than 5, once in force; write version: 6"),
        ([segment(1), segment(5, "b"), segment(1)], segment(1, "c"), "in force as version 1; write version: 6"),
    ],
)
def test_a_version_that_would_stand_for_two_texts_is_refused_with_the_number_to_write(
    before: Sequence[dict[str, object]], new: dict[str, object], expected: str
) -> None:
    assert expected in said(new, *before)


def test_what_is_no_part_of_the_text() -> None:
    assert text_digest(segment(1)) == text_digest({**segment(2, status="retired"), "pilot": {"percent": 20}})
    assert text_digest(segment(1)) == text_digest(dict(reversed(segment(1).items())))
    assert text_digest(segment(1)) != text_digest(segment(1, "b"))
    content = {"intent": "x", "review": {"status": "approved", "reference": "R1"}}
    activation: dict[str, object] = {"activation": "a", "version": 1, "content": content}
    pulled = {**activation, "content": {**content, "review": {"status": "withdrawn", "reference": "R1"}}}
    renewed = {**activation, "content": {**content, "review": {"status": "approved", "reference": "R2"}}}
    assert text_digest(activation) == text_digest(pulled) != text_digest(renewed)
    arms = {"salt": "s", "weights": {"a": 50, "b": 50}}
    turned = {"salt": "s", "weights": {"b": 50, "a": 50}}
    assert text_digest({**activation, "arms": arms}) != text_digest({**activation, "arms": turned})


def test_a_catalogue_and_its_stored_files_give_the_same_ledger() -> None:
    catalogue = load({"segments/s.yaml": "segment: s\nversion: 4\nstatus: approved\nenter: {everyone: true}\n"})
    ledger = extend({}, definitions_of(catalogue))
    assert ledger == extend({}, definitions_in(catalogue.files))
    assert read_ledger(write_ledger(ledger)) == ledger == {"segment/s": Version(4, ledger["segment/s"].text)}
    assert read_ledger(None) is None

"""Sentences for people: wrapped by words, nothing lost."""

import pytest
from rich.console import Console
from rich.text import Text

from streams.cli.render.sentences import wrapped

LONG = "topics  activation.email, activation.field, segment.membership"


def lines(text: str, width: int, indent: int = 0, hanging: int = 2) -> list[str]:
    return [line.plain for line in wrapped(Console(width=width), Text(text), indent, hanging)]


def test_a_sentence_that_fits_is_one_line() -> None:
    assert lines(LONG, len(LONG)) == [LONG]
    assert lines("", 80) == [""]


def test_words_go_to_the_next_line_which_hangs() -> None:
    assert lines(LONG, 40, indent=2, hanging=8) == [
        "  topics  activation.email,",
        "          activation.field,",
        "          segment.membership",
    ]


@pytest.mark.parametrize("width", range(20, 90))
def test_no_word_is_lost_and_no_line_is_too_long(width: int) -> None:
    text = f"{LONG} {'x' * 70} the end, at 2026-03-01 14:05:00"
    found = lines(text, width)
    assert all(len(line) <= max(width, 22) for line in found)
    assert "".join("".join(found).split()) == "".join(text.split())

"""What the pages draw from the code's tables is what the code says now."""

from pathlib import Path

import pytest

from streams.partition.states import TENURE
from streams.settings import Settings
from tests.docs.draw import DRAWINGS, drawn_names, machine, redrawn, setting_docs
from tests.docs.markdown import DOCS, first_column, named, pages, section, text_of


@pytest.mark.parametrize("page", pages(), ids=named)
def test_the_drawn_parts_of_a_page_are_up_to_date(page: Path) -> None:
    text = text_of(page)
    assert redrawn(text) == text, "run `python -m tests.docs.draw`"


def test_every_drawing_stands_on_one_page() -> None:
    assert sorted(name for page in pages() for name in drawn_names(text_of(page))) == sorted(DRAWINGS)


def test_a_diagram_shows_every_state_and_every_move() -> None:
    drawn = machine(TENURE)
    assert all(f"| `{state}` |" in drawn for state in TENURE.states)
    assert drawn.count(" --> ") >= len(TENURE.moves)


def test_what_the_source_says_of_a_setting_is_found() -> None:
    assert setting_docs(Settings)["group"] == "Consumer group of the workers."


def rooms_of(package: str) -> set[str]:
    """Return the folders of a package."""
    return {path.parent.name for path in (DOCS.parent / package).glob("*/__init__.py")}


@pytest.mark.parametrize("package", ["rules", "streams"])
def test_every_room_has_its_row(package: str) -> None:
    rows = first_column(section(text_of(DOCS / "architecture.md"), f"Rooms of {package}"))
    assert {row.strip("`/") for row in rows if row.startswith("`")} == rooms_of(package)

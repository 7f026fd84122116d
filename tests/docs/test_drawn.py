"""What the pages draw from the code's tables is what the code says now."""

import ast
import re
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from streams.delivery.settings import DeliverySettings
from streams.partition.states import TENURE
from streams.settings import Deployment, Settings
from tests.docs.draw import DRAWINGS, drawn_names, machine, redrawn, setting_docs
from tests.docs.markdown import DOCS, ROOT, first_column, named, pages, section, text_of


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
    assert setting_docs(Settings)["group"] == "The consumer group of the workers."


def rooms_of(package: str) -> set[str]:
    """Return the folders of a package."""
    return {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}


@pytest.mark.parametrize("package", ["rules", "streams"])
def test_every_room_has_its_row(package: str) -> None:
    rows = first_column(section(text_of(DOCS / "architecture.md"), f"Rooms of {package}"))
    assert {row.strip("`/") for row in rows if row.startswith("`")} == rooms_of(package)


@pytest.mark.parametrize("package", ["rules", "streams"])
def test_a_rooms_row_says_which_packages_it_imports(package: str) -> None:
    rows = section(text_of(DOCS / "architecture.md"), f"Rooms of {package}").splitlines()
    cells = [row.strip("|").split("|") for row in rows if row.startswith("| `")]
    told = {cell[0].strip(" `/"): set(re.findall(r"`(\w+)`", cell[2])) for cell in cells}
    assert told == {room: packages_of(ROOT / package / room) for room in rooms_of(package)}


def packages_of(room: Path) -> set[str]:
    """Return the packages that the modules of a room import, besides Python's own and Segue's."""
    found: set[str] = set()
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"rules", "streams"} - {"pydantic_core"}


@pytest.mark.parametrize("model", [Deployment, Settings, DeliverySettings])
def test_every_setting_says_what_it_means(model: type[BaseSettings]) -> None:
    assert [name for name in model.model_fields if not setting_docs(model).get(name)] == []

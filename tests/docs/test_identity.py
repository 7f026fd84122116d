"""The page for data stewards: its files and commands give what it shows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.acceptance.command import Segue
from tests.docs.markdown import DOCS, text_of

PAGE = text_of(DOCS / "operations" / "identity.md")
FILES = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


def block(after: str) -> str:
    """Return the first block after a text of the page."""
    return PAGE.partition(after)[2].partition("```")[2].partition("\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("identity")
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


def run(line: str, folder: Path) -> str:
    """Run a line of the page; names of files are those in the folder."""
    words = [str(folder / each) if re.fullmatch(r"\w+\.\w+", each) else each for each in shlex.split(line)[1:]]
    return Segue()(*words, COLUMNS=80).out


def test_the_example_finds_the_candidates_that_the_page_shows(folder: Path) -> None:
    assert set(FILES) == {"crm.csv", "portal.ndjson"}
    [line] = [each for each in PAGE.splitlines() if each.startswith("segue match crm.csv")]
    said = run(line, folder)
    assert said.endswith(block(line + "\n```\n"))
    assert (folder / "candidates.csv").read_text().splitlines() == block("The table, which").splitlines()


def test_the_accepted_candidates_become_the_events_that_the_page_describes(folder: Path) -> None:
    table = block("The table, which").replace("\n,", "\naccept,", 2).replace("\n,", "\nrefuse,")
    (folder / "candidates.csv").write_text(table)
    [line] = [each for each in PAGE.splitlines() if each.startswith("segue match --decided")]
    assert "2 persons or organisations of several subjects" in run(line, folder)
    assert len((folder / "links.ndjson").read_text().splitlines()) == 2

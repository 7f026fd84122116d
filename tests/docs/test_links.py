"""Every link and every file name on a page leads somewhere."""

import itertools
import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, anchors, headings, links, named, pages, spans, text_of

PATH = re.compile(
    r"(?:rules|streams|tests|docs|deploy)(?:/[\w.-]+)+/?|(?:pyproject\.toml|Makefile|docker-compose\.yml)"
)


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_relative_link_and_its_anchor_exist(page: Path) -> None:
    broken = []
    for target in links(text_of(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and anchor not in anchors(text_of(there))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = text_of(page)
    found = {match[0] for span in spans(text) for match in PATH.finditer(span) if "*" not in span}
    found |= {match[0] for match in PATH.finditer("\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)))}
    assert sorted(name for name in found if not (ROOT / name).exists() and not (page.parent / name).exists()) == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_a_page_has_one_title_and_no_level_left_out(page: Path) -> None:
    levels = [level for level, _ in headings(text_of(page))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages()
        for target in links(text_of(page))
        if not target.startswith(("http", "#"))
    }
    alone = [named(page) for page in pages() if page.resolve() not in linked and page.name != "README.md"]
    assert alone == []


def test_no_text_in_the_tree_needs_a_page_outside_the_clone() -> None:
    outside = re.compile(r"\bdesign(?: section|, \d|\.md)|definitions(?:\.md| section)|REFERENCE")
    named_in = [
        f"{path.relative_to(ROOT).as_posix()}: {found[0]}"
        for folder in ("rules", "streams", "tests", "docs", "deploy")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".lua", ".rs", ".sh", ".toml"}
        and path.parent != Path(__file__).parent
        and (found := outside.search(path.read_text(encoding="utf-8")))
    ]
    assert named_in == []

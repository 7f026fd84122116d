"""A Markdown page as its parts: headings with their anchors, sections, fenced blocks, code spans and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
CLIENT: Final = ROOT / "streams" / "client" / "README.md"
MODEL: Final = ROOT / "tests" / "model" / "README.md"
CHART: Final = ROOT / "deploy" / "helm" / "segue" / "README.md"
FENCE: Final = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(?P<level>#+) (?P<title>.+)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language ("" where none is given) and its text."""

    language: str
    text: str


def pages() -> list[Path]:
    """Return every page: the README, the client's, the model's and the chart's, and all below docs/, each once."""
    return [README, CLIENT, MODEL, CHART, *sorted(DOCS.rglob("*.md"))]


def named(path: Path) -> str:
    """Return a page's name: its path from the root."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    """Return the text of a page."""
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str | None = None) -> list[Block]:
    """Return the fenced blocks, of one language if it is given, in order."""
    found = [Block(match["language"], match["text"]) for match in FENCE.finditer(text)]
    return [block for block in found if language is None or block.language == language]


def prose(text: str) -> str:
    """Return the text without its fenced blocks."""
    return FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """Return the code spans outside of fenced blocks, in order."""
    return _SPAN.findall(prose(text))


def links(text: str) -> list[str]:
    """Return the targets of the links outside of fenced blocks and code spans, in order."""
    return [match["target"] for match in _LINK.finditer(_SPAN.sub("", prose(text)))]


def headings(text: str) -> list[tuple[int, str]]:
    """Return (level, title) of every heading, in order."""
    return [(len(match["level"]), match["title"]) for match in _HEADING.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for _, title in headings(text):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found.add(next(name for name in _numbered(anchor) if name not in found))
    return found


def _numbered(anchor: str) -> Iterator[str]:
    yield anchor
    number = 0
    while True:
        number += 1
        yield f"{anchor}-{number}"


def section(text: str, title: str) -> str:
    """Return one section with its subsections; fails where no heading or several have that title."""
    # a comment of YAML or a shell in a block is no heading
    bare = FENCE.sub(lambda match: " " * len(match[0]), text)
    [start] = [match for match in _HEADING.finditer(bare) if match["title"] == title]
    after = [m.start() for m in _HEADING.finditer(bare, start.end()) if len(m["level"]) <= len(start["level"])]
    return text[start.start() : after[0] if after else None]


def first_column(text: str) -> list[str]:
    """Return the first cell of every table row but heads and rules, in order."""
    rows = [line for line in text.splitlines() if line.startswith("|") and not re.match(r"^\|[-| :]+$", line)]
    return [row.split("|")[1].strip() for row in rows]

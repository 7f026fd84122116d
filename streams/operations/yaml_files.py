"""A catalogue's folder read into `Source`s: YAML 1.2, core schema, and the place of every value.

ruamel.yaml gives the parser's events. Values are composed here, for two reasons: the schema is part of the contract
(`NO`, `12:30` and `2027-01-31` are texts), and every key needs its place. `rules.catalogue` says which files belong to
a catalogue; other files in the folder are left alone.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from rules.catalogue.files import belongs, mistaken
from rules.language.problems import FAR_INTEGER, CatalogueErrors, Problem, Source
from rules.language.validation import Path as Steps

FILE_BYTES_MAX: Final = 1 << 20
"""1 MiB: the size of one record that Kafka takes by default; a definition file is a few KB."""
DEPTH_MAX: Final = 64
"""Levels of mappings and lists in a file; a nested group takes two."""
VALUES_MAX: Final = 100_000
"""Values of one file after its aliases are expanded: aliases of aliases grow without bound."""


def read_folder(folder: Path) -> list[Source]:
    """Read every file of a catalogue, sorted by name; blocks.

    The problems of a text stand in its source's `syntax`. File names are relative to the folder, with `/`.
    Raises CatalogueErrors if there is no such folder; OSError if a file cannot be read.
    """
    if not folder.is_dir():
        raise CatalogueErrors([Problem(str(folder), 0, 0, "this is no folder; give the catalogue's folder")])
    sources = []
    for name in sorted(_names(folder)):
        wrong = mistaken(name)
        if wrong is not None:
            sources.append(Source(name, None, syntax=(Problem(name, 1, 1, wrong),), readable=False))
        elif belongs(name):
            sources.append(read_yaml((folder / name).read_bytes(), name))
    return sources


def _names(folder: Path) -> Iterator[str]:
    """Walk all files but hidden ones (`.git`; the `..data` of a mounted Kubernetes config map)."""
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield (Path(where) / name).relative_to(folder).as_posix()


def read_yaml(data: bytes, file: str) -> Source:
    """Read one YAML document. Never raises: its problems stand in `syntax`."""
    reading = _Reading(file)
    try:
        value = reading.document(data)
    except _Unreadable as error:
        reading.wrong(error.line, error.col, str(error))
        return Source(file, None, syntax=tuple(reading.problems), readable=False)
    return Source(file, value, reading.places, tuple(reading.problems), text=data.decode())


class _Unreadable(Exception):
    """The text makes no value; `line` and `col` are 1-based."""

    def __init__(self, line: int, col: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.col = col


@dataclass(slots=True)
class _Node:
    """A composed node. `parts`: items, or keys and values by turns. `open`: it is still being composed."""

    kind: Literal["text", "list", "mapping"]
    line: int
    col: int
    tag: str | None
    plain: bool = False
    text: str = ""
    parts: list["_Node"] = field(default_factory=list)
    open: bool = True


class _Reading:
    """Reads one text; `places` and `problems` fill up meanwhile."""

    def __init__(self, file: str) -> None:
        self.places: dict[Steps, tuple[int, int]] = {(): (1, 1)}
        self.problems: list[Problem] = []
        self._file = file
        self._anchors: dict[str, _Node] = {}
        self._values = 0

    def wrong(self, line: int, col: int, message: str) -> None:
        """Note a problem that leaves the rest readable."""
        self.problems.append(Problem(self._file, line, col, message))

    def document(self, data: bytes) -> Any:
        """Read the one document; an empty text is null."""
        root: _Node | None = None
        events = _events(_text(data))
        for event in events:
            if not isinstance(event, DocumentStartEvent):
                continue
            line, col = _place(event)
            if root is not None:
                self.wrong(line, col, "a second document; a file holds one")
                break
            if event.version not in (None, (1, 2)):
                self.wrong(line, col, "only YAML 1.2 is read")
            root = self._compose(next(events), events, 1)
        return None if root is None else self._value(root, ())

    def _compose(self, event: Event, events: Iterator[Event], depth: int) -> _Node:
        line, col = _place(event)
        if isinstance(event, AliasEvent):
            node = self._anchors.get(event.anchor)
            if node is None:
                raise _Unreadable(line, col, f"alias *{event.anchor} has no anchor")
            if node.open:
                raise _Unreadable(line, col, f"anchor &{event.anchor} contains itself")
            return node
        if depth > DEPTH_MAX:
            raise _Unreadable(line, col, f"nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, ScalarEvent):
            node = _Node("text", line, col, event.tag, event.style is None, event.value, open=False)
        elif isinstance(event, SequenceStartEvent):
            node = _Node("list", line, col, event.tag)
        else:
            assert isinstance(event, MappingStartEvent), event  # the parser's grammar leaves nothing else
            node = _Node("mapping", line, col, event.tag)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if node.kind == "text":
            return node
        for inner in events:
            if isinstance(inner, SequenceEndEvent | MappingEndEvent):
                break
            node.parts.append(self._compose(inner, events, depth + 1))
        node.open = False
        return node

    def _value(self, node: _Node, path: Steps) -> Any:
        self._values += 1
        if self._values > VALUES_MAX or len(path) > DEPTH_MAX:
            raise _Unreadable(node.line, node.col, f"more than {VALUES_MAX:,} values, or nested too deep, by aliases")
        if node.kind == "text":
            return self._scalar(node)
        if node.tag not in (None, "!", _TAGS[node.kind]):
            self.wrong(node.line, node.col, f"tag {_short(node.tag)} does not fit a {node.kind}")
        if node.kind == "list":
            return [self._item(part, (*path, index)) for index, part in enumerate(node.parts)]
        value: dict[str, Any] = {}
        for key_node, value_node in zip(node.parts[::2], node.parts[1::2], strict=True):
            key = self._key(key_node)
            if key is not None and key in value:
                first = self.places[(*path, key)]
                self.wrong(key_node.line, key_node.col, f"key {key!r} again; it stands in line {first[0]} already")
            elif key is not None:
                self.places[(*path, key)] = (key_node.line, key_node.col)
                value[key] = self._value(value_node, (*path, key))
        return value

    def _item(self, node: _Node, path: Steps) -> Any:
        self.places[path] = (node.line, node.col)
        return self._value(node, path)

    def _key(self, node: _Node) -> str | None:
        if node.kind != "text":
            self.wrong(node.line, node.col, "a key must be a text")
            return None
        if node.plain and node.tag is None and node.text == "<<":
            self.wrong(node.line, node.col, "YAML 1.2 has no merge keys (<<)")
            return None
        key = self._scalar(node)
        if isinstance(key, str):
            return key
        self.wrong(node.line, node.col, f"key {node.text or 'null'} must be a text; put it in quotes")
        return None

    def _scalar(self, node: _Node) -> Any:
        """Read a scalar by the core schema; a text where it cannot be read (a problem is noted)."""
        kinds = _scalar_kinds(node)
        for pattern, tag, convert in _CORE:
            if tag in kinds and pattern.fullmatch(node.text):
                value = convert(node.text)
                if isinstance(value, int) and abs(value) > FAR_INTEGER:
                    self.wrong(node.line, node.col, "an integer must lie between -2^53 and 2^53")
                elif value in (_INFINITE, -_INFINITE) and "inf" not in node.text.lower():
                    self.wrong(node.line, node.col, "the number is too large")
                else:
                    return value
                return 0
        if _STRING not in kinds:
            known = node.tag in _TAGS.values()
            said = f"does not fit {node.text!r}" if known else "is not known; YAML's core schema is all there is"
            self.wrong(node.line, node.col, f"tag {_short(node.tag)} {said}")
        elif any("\ud800" <= char <= "\udfff" for char in node.text):
            self.wrong(node.line, node.col, "a text must not hold half of a surrogate pair")
            return ""
        return node.text


_INFINITE: Final = float("inf")
_PREFIX: Final = "tag:yaml.org,2002:"
_STRING: Final = _PREFIX + "str"
_TAGS: Final = {
    "list": _PREFIX + "seq",
    "mapping": _PREFIX + "map",
    "text": _STRING,
    **{name: _PREFIX + name for name in ("null", "bool", "int", "float")},
}


def _integer(text: str) -> int:
    """Read an integer of any length: far beyond the limit the digits do not matter (Python refuses over 4,300)."""
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text
    return int(digits, base) if len(digits) <= 100 else FAR_INTEGER * 2


def _special(text: str) -> float:
    return float(text.replace(".", ""))


_CORE: Final[tuple[tuple[re.Pattern[str], str, Callable[[str], Any]], ...]] = (
    # YAML 1.2.2, section 10.3.2; anything else is a text
    (re.compile(r"null|Null|NULL|~|"), _TAGS["null"], lambda _: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), _TAGS["bool"], lambda text: text[0] in "tT"),
    (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _TAGS["int"], _integer),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), _TAGS["float"], float),
    (re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"), _TAGS["float"], _special),
)
_PLAIN_KINDS: Final = frozenset({*(tag for _, tag, _ in _CORE), _STRING})


def _scalar_kinds(node: _Node) -> frozenset[str]:
    """Return the tags that a scalar may have: by its own tag, else by its style."""
    if node.tag is None:
        return _PLAIN_KINDS if node.plain else frozenset({_STRING})
    return frozenset({_STRING if node.tag == "!" else node.tag})


def _short(tag: str | None) -> str:
    return (tag or "").replace(_PREFIX, "!!")


def _text(data: bytes) -> str:
    if len(data) > FILE_BYTES_MAX:
        raise _Unreadable(1, 1, f"larger than {FILE_BYTES_MAX:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, col = _offset_place(data[: error.start].decode("utf-8", "replace"))
        raise _Unreadable(line, col, "must be UTF-8") from error


def _events(text: str) -> Iterator[Event]:
    """Yield the parser's events; an error of the parser becomes _Unreadable."""
    line, col = 1, 1
    try:
        # "safe": the default parser marks folds inside texts, for writing them again
        for event in YAML(typ="safe", pure=True).parse(text):
            line, col = _place(event)
            yield event
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "not readable").replace("'<stream end>'", "the end of the file")
        if r"'\t'" in problem:
            problem = "a tab stands where only spaces may"
        context = f" {error.context}" if error.context else ""
        line, col = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise _Unreadable(line, col, f"not YAML: {problem}{context}") from error
    except ReaderError as error:
        raise _Unreadable(*_offset_place(text[: error.position]), "not YAML: a control character") from error
    except Exception as error:  # the parser's own slips, as for "\U00110000"
        raise _Unreadable(line, col, "not YAML: the parser fails on what follows here") from error


def _offset_place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _place(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1

"""Private names of aiokafka and of Faust stay in the rooms that mend these libraries."""

import ast
from functools import cache
from pathlib import Path

import pytest

import streams

ROOT = Path(streams.__file__).parent
MAY = {"streams/log/", "streams/intake/", "streams/client/stopping.py"}
"""Rooms and modules that may. The client for platforms has its own mends: it imports nothing of Segue."""
PUBLIC = {
    "aiokafka",
    "aiokafka.abc",
    "aiokafka.admin",
    "aiokafka.admin.records_to_delete",
    "aiokafka.errors",
    "aiokafka.helpers",
    "aiokafka.structs",
}
"""The modules of aiokafka that its documentation names."""
MADE_BY_US = {"streams/log/consumers.py", "streams/client/connection.py"}
"""Where consumers are made: each accepts any header name (`log`), or reads Segue's own headers only (`client`)."""


NAMEDTUPLES = {"_asdict", "_fields", "_replace"}
"""Names that only look private."""


@cache
def modules() -> list[tuple[str, ast.Module]]:
    paths = sorted(ROOT.rglob("*.py"))
    return [(f"streams/{path.relative_to(ROOT).as_posix()}", ast.parse(path.read_text())) for path in paths]


def may(name: str) -> bool:
    return any(name.startswith(each) for each in MAY)


def private_uses(tree: ast.Module) -> list[str]:
    """List the private names of others that a module uses: attributes, names in getattr, imports."""
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_own(node.value)}
    own |= NAMEDTUPLES
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=value, attr=attr) if not _is_own(value):
                found.append(attr)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(attr)), *_]):
                found.append(attr)
            case ast.ImportFrom(names=names):
                found += [each.name for each in names]
    return [name for name in found if name.startswith("_") and not name.startswith("__") and name not in own]


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def test_private_names_of_libraries_stay_in_the_rooms_that_mend_them() -> None:
    found = {name: uses for name, tree in modules() if not may(name) and (uses := private_uses(tree))}
    assert found == {}


def test_inner_modules_of_aiokafka_are_imported_only_by_the_rooms_that_mend_it() -> None:
    found = []
    for name, tree in modules():
        for node in ast.walk(tree):
            imported = [node.module] if isinstance(node, ast.ImportFrom) else []
            imported += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            inner = [each for each in imported if each and each.split(".")[0] == "aiokafka" and each not in PUBLIC]
            found += [f"{name}: {each}" for each in inner if not may(name)]
    assert found == []


def test_no_class_of_aiokafka_is_made_wider_elsewhere() -> None:
    found = []
    for name, tree in modules():
        for node in ast.walk(tree):
            bases = (
                [base.id for base in node.bases if isinstance(base, ast.Name)] if isinstance(node, ast.ClassDef) else []
            )
            found += [f"{name}: {base}" for base in bases if base.startswith("AIOKafka") and not may(name)]
    assert found == []


def test_consumers_are_made_in_one_place() -> None:
    found = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AIOKafkaConsumer"
    }
    assert found <= MADE_BY_US


@pytest.mark.parametrize(
    ("code", "uses"),
    [
        ("consumer._fetcher._fetch_task", ["_fetch_task", "_fetcher"]),
        ("getattr(consumer, '_client', None)", ["_client"]),
        ("from aiokafka.record import _crecords", ["_crecords"]),
        ("self._client", []),
        ("def _f(): pass\nother._f()", []),
        ("x.__class__", []),
    ],
)
def test_the_search_finds_what_it_must(code: str, uses: list[str]) -> None:
    assert sorted(private_uses(ast.parse(code))) == uses

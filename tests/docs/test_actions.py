"""Every log call of streams/ has an action and named fields, and every action and field of the tables is used."""

import ast
from collections.abc import Iterator
from pathlib import Path

from streams.actions import ACTIONS, FIELDS

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for file in sorted((ROOT / "streams").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield file, node


def is_logging(call: ast.Call) -> bool:
    found = call.func
    return (
        isinstance(found, ast.Attribute)
        and found.attr in LEVELS
        and isinstance(found.value, ast.Name)
        and found.value.id in ("log", "logger", "LOG")
    )


def test_every_log_call_says_what_it_is_about() -> None:
    bare = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file, call in calls()
        if is_logging(call) and all(each.arg != "extra" for each in call.keywords)
    ]
    assert bare == []


def test_no_action_and_no_field_is_listed_that_no_line_has() -> None:
    actions, fields = {"library"}, {"partition", "epoch"}
    for file, call in calls():
        if isinstance(call.func, ast.Name) and call.func.id == "told":
            first = call.args[0]
            assert isinstance(first, ast.Constant), file
            actions.add(str(first.value))
            fields |= {str(each.arg) for each in call.keywords}
    for file in (ROOT / "streams" / "client").rglob("*.py"):
        # the client imports nothing of the rest, so no type holds its words
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict) and any(
                isinstance(k, ast.Constant) and k.value == "action" for k in node.keys
            ):
                given = {k.value: v for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)}
                action = given.pop("action")
                assert isinstance(action, ast.Constant), file
                actions.add(str(action.value))
                fields |= set(map(str, given))
    assert actions == set(ACTIONS)
    assert fields == set(FIELDS)

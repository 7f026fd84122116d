"""Which rules run: compiled ones only if they are of this source, and what mypyc would take for something else."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import native

MODULES = [native.ROOT / name for name in (native.ROOT / native.MODULES).read_text().split()]
USE = "import sys; from pathlib import Path; from streams import native; native.ROOT = Path(sys.argv[1]); native.use()"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with a module of rules."""
    (tmp_path / "rules" / "engine").mkdir(parents=True)
    (tmp_path / native.MODULES).write_text("rules/engine/partition.py\n")
    (tmp_path / "rules" / "__init__.py").write_text("FROM = 'source'\n")
    return tmp_path


def used(tree: Path, wish: str) -> subprocess.CompletedProcess[str]:
    """Ask a process which rules it takes."""
    environment = {**os.environ, native.VARIABLE: wish}
    code = f"{USE}; print(sys.modules['rules'].FROM if 'rules' in sys.modules else 'not imported')"
    command = [sys.executable, "-c", code, str(tree)]
    return subprocess.run(command, env=environment, cwd=native.ROOT, capture_output=True, text=True, check=False)


def compile_(tree: Path) -> None:
    """Put something into the place of a compiled engine."""
    home = native.home_of(tree)
    (home / "rules" / "engine").mkdir(parents=True)
    (home / "rules" / "__init__.py").write_text("FROM = 'compiled'\n")
    (home / f"{native.NAMED}{sysconfig.get_config_var('EXT_SUFFIX')}").touch()


def test_compiled_rules_are_taken_where_they_are_unless_somebody_says_no(tree: Path) -> None:
    assert used(tree, "").stdout.strip() == "not imported"
    compile_(tree)
    assert used(tree, "").stdout.strip() == "compiled"
    assert used(tree, "1").stdout.strip() == "compiled"
    assert used(tree, "0").stdout.strip() == "not imported"


@pytest.mark.parametrize("changed", ["rules/__init__.py", "rules/engine/new.py", native.MODULES])
def test_rules_that_were_compiled_from_another_source_are_never_run(tree: Path, changed: str) -> None:
    compile_(tree)
    with (tree / changed).open("a") as file:
        file.write("\n")
    assert used(tree, "").stdout.strip() == "not imported"
    refused = used(tree, "1")
    assert refused.returncode == 1
    assert "the rules of this source are not compiled for this Python: make native" in refused.stderr


def test_a_command_says_in_one_line_that_nothing_is_compiled(tmp_path: Path) -> None:
    shutil.copytree(native.ROOT / "streams", tmp_path / "streams", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(native.ROOT / "rules", tmp_path / "rules", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "streams.cli", "--version"]
    environment = {**os.environ, native.VARIABLE: "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "SEGUE_NATIVE=1, but the rules of this source are not compiled for this Python: make native\n"
    )


# -- the traps of docs/decisions/23-the-rules-compiled.md


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Walk the functions that are compiled."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield module, node


def test_no_name_stands_for_two_kinds_of_exceptions_in_a_function() -> None:
    for module, function in functions():
        caught: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
                assert not isinstance(node.type, ast.Tuple), (module, function.name)
                assert caught.setdefault(node.name, ast.unparse(node.type)) == ast.unparse(node.type), module


def test_no_dict_of_nothing_but_none_is_without_a_type() -> None:
    for module, function in functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for each in ast.walk(node.value):
                    if isinstance(each, ast.Dict) and each.values:
                        values = [ast.unparse(value) for value in each.values]
                        assert set(values) != {"None"}, (module, function.name)


def test_every_memory_and_every_condition_is_compiled_but_pending() -> None:
    compiled = {
        node.name
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    interpreted = {
        f"{path.relative_to(native.ROOT)}: {node.name}"
        for path in sorted((native.ROOT / "rules").rglob("*.py"))
        if path not in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and compiled & {ast.unparse(base) for base in node.bases}
    }
    assert interpreted == {"rules/engine/pending.py: Pending"}


def test_no_compiled_class_inherits_from_abc() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ClassDef):
                assert "ABC" not in {ast.unparse(base) for base in node.bases}, (module, node.name)

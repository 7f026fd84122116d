"""The index of the tests is what the sources say, and it leads to the suites that a reader looks for."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.index import INDEX, LOOKING_FOR, ROOT, Module, linked, reached, read_modules, render


@pytest.fixture(scope="module")
def modules() -> Mapping[str, Module]:
    """Every module of the repository."""
    return read_modules()


def test_the_index_is_what_the_sources_say(modules: Mapping[str, Module]) -> None:
    assert INDEX.read_text(encoding="utf-8") == render(modules), "run `python -m tests.index`"


def test_what_a_reader_looks_for_is_there() -> None:
    missing = [name for names in LOOKING_FOR.values() for name in names if not linked(name).is_file()]
    assert missing == []


def test_every_suite_says_what_it_shows(modules: Mapping[str, Module]) -> None:
    silent = [module.name for module in modules.values() if module.suite and not module.says]
    assert silent == []


def test_every_shipped_module_is_reached_by_a_suite(modules: Mapping[str, Module]) -> None:
    """By imports alone, any number of steps; commands are run as processes by tests/acceptance."""
    suites = [module for module in modules.values() if module.suite]
    waiting = [name for suite in suites for name in reached(suite, modules)]
    waiting += [name for name in modules if name.startswith("streams.cli")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in modules[name].imports if each.startswith(("rules", "streams"))]
    shipped = {name for name, module in modules.items() if name.startswith(("rules", "streams"))}
    run_as_files = {"streams.example.email_platform"}
    unreached = {name for name in shipped - found if modules[name].path.name not in ("__init__.py", "__main__.py")}
    assert unreached == run_as_files


def test_a_suite_reaches_what_its_helpers_import(tmp_path: Path) -> None:
    for name, text in {
        "rules/a.py": "",
        "streams/b.py": "",
        "tests/helper.py": "from rules import a",
        "tests/test_it.py": '"""It."""\nfrom tests.helper import x\nimport streams.b\ndef test_one(): ...',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = read_modules(tmp_path)
    assert reached(found["tests.test_it"], found) == {"rules.a", "streams.b"}
    assert found["tests.test_it"].tests == 1
    assert tmp_path != ROOT

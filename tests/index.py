"""The index of the tests: which suite shows what, which suites reach a module, and every transcript by name.

`python -m tests.index` writes tests/INDEX.md; a test fails where that file is not what this module makes. Everything is
read off the sources: a suite's sentence is the first of its docstring, and a suite reaches the modules that it imports,
itself or through the helpers of the tests.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.naive.reading import read_file

ROOT: Final = Path(__file__).parents[1]
INDEX: Final = ROOT / "tests" / "INDEX.md"
CASES: Final = ROOT / "tests" / "transcripts" / "cases"
SHIPPED: Final = ("rules", "streams")
LOOKING_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "what a condition of a kind holds of": ("rules/conditions/test_boundaries", "rules/conditions/test_laws"),
    "windows, marks, new evidence, sequences": (
        "transcripts/cases/event",
        "transcripts/cases/evidence",
        "transcripts/cases/history",
    ),
    "in and out (`membership`), one evaluation (`step`)": (
        "transcripts/cases/membership",
        "transcripts/cases/mends",
        "properties/test_same",
    ),
    "traits, held and changed": ("transcripts/cases/traits",),
    "cuts, pending conditions (`pending`, `plan`)": (
        "transcripts/cases/cuts",
        "transcripts/cases/activation-cuts",
        "properties/test_same",
    ),
    "refusals, caps, groups of activations": (
        "transcripts/cases/refusals",
        "transcripts/cases/caps",
        "transcripts/cases/groups",
        "properties/test_activation",
    ),
    "bad input (`decode`)": ("rules/engine/test_decode", "transcripts/cases/input", "properties/test_input"),
    "batching, duplicates, order, limits": ("properties/test_laws", "properties/test_limits"),
    "what does not load, and what is said of it": (
        "rules/language/test_problems",
        "rules/catalogue/test_catalogue",
        "rules/catalogue/test_policy",
    ),
    "lint": ("rules/lint/test_lint", "rules/lint/test_lint_soundness"),
    "claims, fences, epochs (`claim`)": (
        "streams/partition/test_claim",
        "contract/log/test_claims",
        "simulation/test_simulation",
    ),
    "one owner's time with a partition (`tenure`, `runner`)": (
        "streams/partition/test_runner",
        "simulation/test_simulation",
    ),
    "transactions (`publisher`)": ("streams/partition/test_publisher", "contract/log/test_log"),
    "checkpoints, tokens (`store`)": (
        "contract/store/test_contract",
        "contract/store/test_machine",
        "contract/store/test_bad_days",
    ),
    "kill -9, zombies, rollbacks, brokers away": ("faults/test_faults", "faults/test_mutations"),
    "the consumer, rebalances (`intake`)": ("streams/intake/test_transport", "streams/worker/test_worker"),
    "topics and their settings": ("streams/wire/test_topics",),
    "bytes on topics (`wire`)": ("streams/wire/test_wire", "streams/wire/test_asyncapi"),
    "a command, as a person runs it": (
        "acceptance/test_usage",
        "acceptance/test_deployment",
        "acceptance/test_operations",
    ),
    "reading a channel": ("streams/client/test_channel", "acceptance/test_client"),
    "delivering over HTTP": (
        "streams/delivery/test_deliverer",
        "streams/delivery/test_processes",
        "acceptance/test_deliver",
    ),
    "the pages and their examples": ("docs/test_links", "docs/test_language", "docs/test_commands"),
}
"""Where to look first: a question, and the suites and transcripts that answer it. A test sees that each is there."""
SHOWN_MAX: Final = 5
"""Suites shown for a module: those that reach the fewest modules, for they say the most about each."""
HEAD: Final = """\
# Which test shows what

`python -m tests.index` writes this page; a test holds it equal to the sources.
Run one suite: `.venv/bin/pytest tests/rules/engine/test_decode.py`; tests by name: `.venv/bin/pytest -k redelivery`.
Suites without "servers" run in `make quick`.
"""


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file. `imports`: dotted names of the modules of this repository that it imports."""

    name: str
    path: Path
    says: str
    """The first sentence of its docstring."""
    tests: int
    servers: bool
    """Whether a test of it needs a server, as far as its own text tells."""
    imports: frozenset[str]

    @property
    def suite(self) -> bool:
        """Whether pytest collects it."""
        return self.path.name.startswith("test_")

    @property
    def link(self) -> str:
        """A Markdown link to it, relative to tests/INDEX.md."""
        path = self.path.relative_to(ROOT / "tests").as_posix()
        return f"[{path.removesuffix('.py')}]({path})"


def read_modules(root: Path = ROOT) -> dict[str, Module]:
    """Read every Python file of rules/, streams/ and tests/, by dotted name."""
    paths = [path for top in (*SHIPPED, "tests") for path in sorted((root / top).rglob("*.py"))]
    names = {_dotted(path, root) for path in paths}
    return {name: _read(name, path, names) for path in paths for name in [_dotted(path, root)]}


def _dotted(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _read(name: str, path: Path, names: Iterable[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports |= {node.module} | {f"{node.module}.{each.name}" for each in node.names}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return Module(
        name,
        path,
        _sentence(ast.get_docstring(tree) or ""),
        sum(function.name.startswith("test_") for function in functions),
        re.search(r"mark\.servers|\b(kafka|valkey): (KafkaServer|ValkeyServer)|fixture.*outcome", text) is not None,
        frozenset(imports.intersection(names)),
    )


def _sentence(docstring: str) -> str:
    """Return the first paragraph on one line."""
    return " ".join(docstring.split("\n\n")[0].split())


def reached(suite: Module, modules: Mapping[str, Module]) -> set[str]:
    """Return the shipped modules that a suite imports, itself or through helpers of the tests."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [suite.name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for imported in modules[name].imports:
            if imported.partition(".")[0] in SHIPPED:
                found.add(imported)
            else:
                waiting.append(imported)
    return found


def render(modules: Mapping[str, Module] | None = None) -> str:
    """Return the text of tests/INDEX.md."""
    modules = modules or read_modules()
    suites = [module for module in modules.values() if module.suite and module.name.startswith("tests.")]
    parts = [
        HEAD,
        "## Looking for\n",
        *_looking_for(),
        "## Suites\n",
        *_suites(suites),
        "## Modules\n",
        *_modules(suites, modules),
    ]
    return "\n".join([*parts, "## Transcripts\n", *_transcripts()]).rstrip() + "\n"


def linked(name: str) -> Path:
    """Return the file of a suite or of transcripts, named without its ending, below tests/."""
    return ROOT / "tests" / f"{name}{'.yaml' if name.startswith('transcripts/cases/') else '.py'}"


def _looking_for() -> list[str]:
    lines = ["| looking for | look into |", "|---|---|"]
    for question, names in LOOKING_FOR.items():
        links = [f"[{name}]({linked(name).relative_to(ROOT / 'tests').as_posix()})" for name in names]
        lines.append(f"| {question} | {', '.join(links)} |")
    return [*lines, ""]


def _suites(suites: Iterable[Module]) -> list[str]:
    by_folder: defaultdict[str, list[Module]] = defaultdict(list)
    for suite in suites:
        by_folder[suite.path.parent.relative_to(ROOT).as_posix()].append(suite)
    lines = ["| suite | tests | shows |", "|---|---|---|"]
    for _, found in sorted(by_folder.items()):
        for suite in found:
            needs = ", servers" if suite.servers else ""
            lines.append(f"| {suite.link} | {suite.tests}{needs} | {suite.says.replace('|', chr(92) + '|')} |")
    return [*lines, ""]


def _modules(suites: Iterable[Module], modules: Mapping[str, Module]) -> list[str]:
    """Say for each shipped module which suites import it, or else through which modules suites reach it."""
    by_module: defaultdict[str, list[str]] = defaultdict(list)
    narrowest_first = sorted((len(reached(suite, modules)), suite.link, suite) for suite in suites)
    for _, link, suite in narrowest_first:
        for name in reached(suite, modules):
            by_module[name].append(link)
    importers: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules.values():
        for name in module.imports:
            if module.name.startswith(SHIPPED):
                importers[name].append(module.name)
    lines = [
        "A module that no suite imports is shown by the suites of the modules that import it, named before the colon."
        " tests/acceptance runs every command as a process.\n",
        "| module | suites |",
        "|---|---|",
    ]
    for name, module in modules.items():
        if name.startswith(SHIPPED) and module.path.name != "__init__.py":
            ways, found = nearest(name, by_module, importers)
            through = f"through {', '.join(f'`{each}`' for each in ways)}: " if ways else ""
            more = f" and {len(found) - SHOWN_MAX} wider ones" if len(found) > SHOWN_MAX else ""
            lines.append(f"| `{name}` | {through}{', '.join(found[:SHOWN_MAX]) or 'tests/acceptance'}{more} |")
    return [*lines, ""]


def nearest(
    name: str, by_module: Mapping[str, Sequence[str]], importers: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[str]]:
    """Return the suites of a module; or, where it has none, the modules nearest above it that have some, and theirs."""
    level, seen = [name], {name}
    while level and not any(by_module.get(each) for each in level):
        level = sorted({each for below in level for each in importers.get(below, ())} - seen)
        seen.update(level)
    ways = [each for each in level if by_module.get(each)]
    suites = list(dict.fromkeys(suite for each in ways for suite in by_module[each]))
    return ([] if ways == [name] else ways), suites


def _transcripts() -> list[str]:
    lines = ["Each runs through the engine and through the naive evaluator.\n"]
    for path in sorted(CASES.glob("*.yaml")):
        found = read_file(path)
        lines.append(f"### [{path.stem}](transcripts/cases/{path.name})\n\n{found['about'].strip()}\n")
        lines += [f"- {case['name']}" for case in found["cases"]]
        lines.append("")
    return lines


if __name__ == "__main__":
    INDEX.write_text(render(), encoding="utf-8")

"""Every command, option, make target and variable on a page exists, and every command is shown."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from streams.cli.commands import COMMANDS
from streams.cli.main import app
from tests.docs.markdown import DOCS, README, ROOT, blocks, named, pages, spans, text_of

NAMES = {command.name for command in COMMANDS}
CALL = re.compile(r"(?:^|[\s`(])segue ([a-z]+)\b([^`#\n]*)")


def shown(page: Path) -> str:
    """Return what a page shows as code: its shell blocks and its code spans, a line each."""
    text = text_of(page)
    return "\n".join([*(block.text for block in blocks(text, "sh")), *spans(text)])


def options_of(name: str) -> set[str]:
    """Return the options of a command, `--help` too."""
    [command] = [command for command in COMMANDS if command.name == name]
    loaded: Any = command.load()
    return {option for parameter in loaded.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help"
    }


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_command_and_option_on_a_page_exists(page: Path) -> None:
    unknown = []
    for name, rest in CALL.findall(shown(page)):
        if name not in NAMES:
            unknown.append(f"segue {name}")
            continue
        used = set(re.findall(r"(?<![\w-])(--[a-z-]+|-[a-z])(?![\w-])", rest))
        unknown += [f"segue {name} {option}" for option in sorted(used - options_of(name))]
    assert unknown == []


def test_the_options_of_the_root_on_the_pages_exist() -> None:
    command: Any = typer.main.get_command(app)
    there = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {option for page in pages() for option in re.findall(r"\bsegue (--[a-z-]+)", shown(page))}
    assert used <= there | {"--help"}


def test_the_page_on_running_shows_every_command() -> None:
    told = {name for name, _ in CALL.findall(shown(DOCS / "operations" / "running.md"))}
    assert told == NAMES


def test_every_make_target_that_a_text_shows_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    told = "\n".join(shown(page) for page in pages()) + makefile.partition("\n\n")[0]
    found = set(re.findall(r"\bmake ([a-z]+)\b", told))
    assert {"demo", "test", "quick", "model"} <= found <= targets
    phony = re.search(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets


def test_every_variable_of_make_that_a_page_sets_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    there = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE)) | {"PYTHON"}
    environment = {"TRACE", "SECS", "STATES"}
    used = {
        name
        for page in pages()
        for line in shown(page).splitlines()
        if re.search(r"\bmake [a-z]", line)
        for name in re.findall(r"\b([A-Z_]+)=", line.partition("#")[0])
        if not name.startswith("SEGUE_")
    }
    assert used <= there | environment


def test_every_module_that_a_page_runs_exists() -> None:
    for page in pages():
        for name in re.findall(r"python -m ([\w.]+)", shown(page)):
            path = ROOT / name.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{named(page)}: {name}"


def test_the_readme_is_what_a_newcomer_reads_in_three_minutes() -> None:
    text = text_of(README)
    assert len(text.splitlines()) <= 130
    for promised in ("make setup", "make demo", "pip install", "message.sent", "Flink", "CDP", "docs/contributing.md"):
        assert promised in text


def test_the_shell_lines_of_the_pages_are_shell() -> None:
    for page in pages():
        for block in blocks(text_of(page), "sh"):
            done = subprocess.run(["sh", "-n"], input=block.text, text=True, capture_output=True, check=False)
            assert done.returncode == 0, f"{named(page)}: {done.stderr}"

"""Rules for all commands: help, exit statuses, one clear line about an error."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.acceptance.command import Segue
from tests.acceptance.test_definitions import SMALL, write_catalogue

COMMANDS = (
    "check",
    "replay",
    "topics",
    "apply",
    "preview",
    "worker",
    "send",
    "watch",
    "deliver",
    "explain",
    "history",
    "members",
    "sizes",
    "lag",
    "doctor",
    "bundle",
    "asyncapi",
    "catalogues",
    "catalogue",
    "diff",
)
NEED_SERVERS = (
    ["topics"],
    ["watch"],
    ["explain", "hcp:1"],
    ["explain", "hcp:1", "--at", "2026-01-01T00:00:00Z"],
    ["history", "hcp:1"],
    ["members", "visitors"],
    ["sizes"],
    ["lag"],
    ["deliver", "email", "--lag"],
    ["catalogues"],
    ["diff"],
    ["diff", "a week ago"],
    ["catalogue", "in force", "-o", "never-made"],
    ["apply", "--back"],
)


def test_help_names_every_command() -> None:
    ended = Segue().done("--help")
    assert all(command in ended.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    example = shown.output.partition("Example: ")[2].partition("\n")[0]
    assert f"segue {command}" in example


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["explain", "nobody"],
        ["explain", "hcp:1", "--at", "yesterday"],
        ["history", "nobody"],
        ["history", "hcp:1", "visitors", "--change", "1"],
        ["watch", "--subject", "nobody"],
        ["send", "/nowhere.ndjson"],
        ["send", "/"],
        ["lag", "--watch", "soon"],
    ],
    ids=" ".join,
)
def test_usage_is_2(arguments: list[str]) -> None:
    ended = Segue()(*arguments)
    assert ended.status == 2, ended
    assert "Traceback" not in ended.err


def test_a_setting_that_is_wrong_is_usage_and_named() -> None:
    ended = Segue()("lag", SEGUE_PARTITIONS="many")
    assert (ended.status, ended.out) == (2, "")
    assert "SEGUE_PARTITIONS" in ended.err


def test_a_misspelt_setting_is_told_with_the_nearest_and_without_its_value() -> None:
    ended = Segue()("lag", SEGUE_PARTITONS="hidden", SEGUE_REDIS_URL="http://wrong")
    assert ended.status == 2
    assert ended.err.splitlines()[0] == (
        "warning: SEGUE_PARTITONS is set, but there is no such setting; did you mean SEGUE_PARTITIONS?"
    )
    assert "hidden" not in ended.err


def test_the_version_is_one_line() -> None:
    ended = Segue().done("--version")
    assert re.fullmatch(r"segue \d+\.\d+\.\d+\n", ended.out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_without_importing_them(shell: str) -> None:
    asked = {"bash": {"COMP_WORDS": "segue re", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "segue re", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    ended = Segue().done(_SEGUE_COMPLETE=f"complete_{shell}", **asked)
    assert {"replay", "rebuild"} <= set(re.findall(r"\w+", ended.out))
    assert "topics" not in ended.out


def test_a_server_that_is_not_there_is_3_named_with_its_setting(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path, SMALL)
    commands = [
        *NEED_SERVERS,
        ["apply", str(folder)],
        ["preview", str(folder)],
        ["send", str(folder / "dictionary.yaml")],
    ]
    with socket.socket() as closed, ThreadPoolExecutor(2) as pool:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        away = {
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "SEGUE_REDIS_URL": f"redis://someone:secret@127.0.0.1:{port}/0",
        }
        for ended in pool.map(lambda arguments: Segue()(*arguments, **away), commands):
            assert (ended.status, ended.out) == (3, ""), ended
            [line] = ended.err.splitlines()
            assert f"127.0.0.1:{port}" in line
            assert "SEGUE_KAFKA_BOOTSTRAP_SERVERS" in line or "SEGUE_REDIS_URL" in line
            assert "secret" not in line
            assert "hcp:1" not in line

"""The root of the command line: what it knows without its commands, and how each error ends one."""

import gc
import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from streams.cli.commands import COMMANDS, Command, uncollected
from streams.cli.main import STATUSES, status_of
from streams.exits import Exit
from streams.operations import errors

SLOW = (
    "aiokafka",
    "faust",
    "redis",
    "pydantic",
    "pydantic_settings",
    "ruamel",
    "rules.catalogue",
    "aiohttp",
    "asyncio",
)


NOT_OF_A_WORKER = ("rich", "cryptography.x509", "streams.wire.payloads", "streams.delivery.shapes", "streams.demo")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_the_help_line_of_a_command_is_the_first_line_of_its_docstring(command: Command) -> None:
    module, _, function = command.target.partition(":")
    docstring = inspect.getdoc(getattr(import_module(f"streams.cli.{module}"), function)) or ""
    assert docstring.partition("\n")[0] == command.help
    assert command.load().name == command.name


def test_the_root_imports_nothing_that_only_a_command_needs() -> None:
    code = "import sys, streams.cli.main; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *SLOW], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_worker_imports_nothing_that_only_others_need() -> None:
    code = "import sys, streams.cli.main, streams.cli.worker; print(*(n for n in sys.argv[1:] if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *NOT_OF_A_WORKER], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_is_collected_while_a_command_is_imported() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_every_error_of_an_operation_has_one_exit_status() -> None:
    assert {status_of(family("it is wrong")) for family in STATUSES} == {
        Exit.WRONG_INPUT,
        Exit.USAGE,
        Exit.NOT_REACHABLE,
    }
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.OperationError) and error is not errors.OperationError:
            assert sum(issubclass(error, family) for family in STATUSES) == 1, error

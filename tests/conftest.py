"""Fixtures for every test: the servers, each started once a session by the first test that asks for it.

`--no-servers` leaves out every test that needs a server, and fails any other test that starts one.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from streams.embedded import KafkaServer, ValkeyServer
from streams.embedded.server import Server
from tests.secured import Secured, running_secured
from tests.servers import running_kafka, running_valkey

# examples are judged by their findings, never by their duration on a busy machine; every run has the same examples,
# unless SEGUE_EXAMPLES asks for a search
settings.register_profile(
    "patient", deadline=None, print_blob=True, derandomize="SEGUE_EXAMPLES" not in os.environ, database=None
)
settings.load_profile("patient")

# tests read, and some of them alter, the source that Python runs; SEGUE_NATIVE=1 asks for the compiled engine
os.environ.setdefault("SEGUE_NATIVE", "0")

# workers and deliverers of tests run side by side: each takes a free port
os.environ.setdefault("SEGUE_METRICS_PORT", "0")

# a shell that runs the suite in the background makes it ignore Ctrl-C; commands that a test interrupts inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _Telling:
    """Reports each failure at once: an interrupted run never reaches pytest's own report."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid}: {report.when} failed after {report.duration:.0f} s")
            self._terminal.write_line(report.longreprtext[-TOLD_AT_ONCE:])


TOLD_AT_ONCE = 3_000
"""Characters shown of a failure: the last ones."""


SERVER_FIXTURES = frozenset({"kafka", "valkey", "secured", "outcome"})
"""A test that uses one of these fixtures, directly or through another fixture, needs a server."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make quick`."""
    parser.addoption("--no-servers", action="store_true", help="Run only the tests that need no server.")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Report failures at once; with --no-servers let no test start a server."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        config.pluginmanager.register(_Telling(terminal), "telling")
    if config.getoption("--no-servers"):
        setattr(Server, "_launch", _refuse)  # noqa: B010 - mypy does not accept an assignment to a method


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need a server; with --no-servers leave them out."""
    for item in items:
        if not SERVER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
    if config.getoption("--no-servers"):
        left_out = [item for item in items if item.get_closest_marker("servers")]
        items[:] = [item for item in items if not item.get_closest_marker("servers")]
        config.hook.pytest_deselected(items=left_out)


class _FaultsTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all fault runs to one process, where they run side by side. Any process may take the other tests."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(FAULT_RUNS):
            return "faults"
        return nodeid


FAULT_RUNS = ("tests/faults/test_faults.py", "tests/faults/test_mutations.py")
"""The suites whose tests use the results of fault runs."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute tests among the processes of `-n`."""
    return _FaultsTogether(config, log)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("this test starts a server: mark it `servers`")


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """The session's Apache Kafka, embedded. Shared: never stop it; use `unique` names."""
    with running_kafka() as server:
        yield server


@pytest.fixture(scope="session")
def secured() -> Iterator[Secured]:
    """The session's Apache Kafka with TLS, logins and ACLs. Shared: never stop it; use `unique` names."""
    with running_secured() as running:
        yield running


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """The session's Valkey, embedded. Shared: never stop or flush it; use `unique` key prefixes."""
    with running_valkey() as server:
        yield server

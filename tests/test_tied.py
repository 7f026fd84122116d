"""A tied process ends with its starter, however that ends; a benchmark that is told to end leaves nothing behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tied import tied

ROOT = Path(__file__).parents[1]
STARTER = """
import subprocess, sys, time
from tests.benchmarks.ending import end_in_order
from tests.tied import tied
end_in_order()
child = subprocess.Popen(tied([sys.executable, "-c", "import time; print('runs', flush=True); time.sleep(60)"]))
print(child.pid, flush=True)
try:
    time.sleep(60)
finally:
    print("stopped in order", flush=True)
"""


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def within(limit_s: float, done: Callable[[], bool]) -> bool:
    """Ask again until it is done; False: it was not within the limit."""
    deadline = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to another one")
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGKILL, -signal.SIGKILL, b""), (signal.SIGTERM, 143, b"stopped in order\n")],
)
def test_a_tied_process_ends_with_its_starter(number: signal.Signals, status: int, said: bytes) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        lines = {starter.stdout.readline(), starter.stdout.readline()}
        assert b"runs\n" in lines
        child = int((lines - {b"runs\n"}).pop())
        assert not gone(child)
        starter.send_signal(number)
        assert starter.wait(10) == status
        assert starter.stdout.read() == said
        assert within(5, lambda: gone(child))


def test_a_tied_command_says_and_ends_as_the_command_alone() -> None:
    command = [sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(3)", "a b", ""]
    done = subprocess.run(tied(command), stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "['a b', '']\n")


def test_a_command_whose_starter_is_gone_does_not_begin() -> None:
    command = tied([sys.executable, "-c", "print('runs')"])
    command[4] = "1" if command[4] != "1" else "2"
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (1, b"") or sys.platform != "linux"

"""All fault runs of a session begin together: runs mostly wait, so several go on while tests take the results."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from tests.faults.fault import Fault
from tests.faults.runner import Result, Runs, SizeName
from tests.faults.stage import servers

Outcome = Callable[[Fault, int], Result]
SIZE: SizeName = "ci" if os.environ.get("FAULTS_SIZE") == "ci" else "once"
"""The suite takes smaller sizes than CI, unless FAULTS_SIZE asks for those."""


@pytest.fixture(scope="session")
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """Wait for the result of a run. All runs that the selected tests need are submitted before, the longest first."""
    wanted: dict[tuple[str, int], tuple[Fault, int]] = {}
    for item in request.session.items:
        found = getattr(item, "callspec", None)
        if found is not None and "fault" in found.params and "outcome" in getattr(item, "fixturenames", ()):
            fault, seed = found.params["fault"], found.params["seed"]
            wanted[fault.number, seed] = fault, seed
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    jobs = int(os.environ.get("SEGUE_FAULTS_JOBS", "3"))
    with servers() as running:
        runs = Runs(running, SIZE, jobs)
        longest_first = sorted(wanted.values(), key=lambda run: (run[1], -run[0].takes_s))
        futures: dict[tuple[str, int], Future[Result]] = {
            (fault.number, seed): runs.submit(fault, seed) for fault, seed in longest_first
        }
        try:
            yield lambda fault, seed: futures[fault.number, seed].result()
        finally:
            runs.close()


__all__ = ["Outcome", "outcome"]

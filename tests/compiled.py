"""Have tests ask the compiled rules: `python -m pytest -p tests.compiled …`, after `make native`.

Left out are tests that look into the rules' classes, or change them: what is compiled has no `__slots__` to read, its
constants are part of its code, and its functions call each other directly.
"""

import os

os.environ["SEGUE_NATIVE"] = "1"

from typing import Final

import pytest

from streams import native

native.use()

LOOKING_IN: Final = (
    "tests/properties/test_limits.py::test_a_record_passes_so_many_wakes_that_publish_and_no_more",
    "tests/properties/test_scattered_fills.py::test_what_a_fill_would_lose_is_noticed",
    "tests/rules/conditions/test_join.py::test_a_bucket_of_two_subjects_reaches_from_the_first_fact",
    "tests/rules/conditions/test_join.py::test_a_bucket_with_an_earlier_fact_is_no_later_one",
    "tests/rules/conditions/test_join.py::test_a_fact_in_a_bucket_of_two_subjects_counts_once",
    "tests/rules/conditions/test_laws.py::test_beyond_the_limit_the_latest_by_time_source_and_id",
    "tests/rules/conditions/test_toy_kind.py::test_it_is_pending_after_a_cut_without_its_history",
    "tests/rules/engine/test_pending.py",
    "tests/rules/engine/test_prolonged.py",
    "tests/rules/engine/test_protocol.py",
    "tests/rules/engine/test_waiting.py::test_segments_that_wait_for_history_are_visited_at_once",
)


def pytest_report_header() -> str:
    """Say what is tested."""
    return f"rules: {native.engine()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what looks in."""
    left_out = [item for item in items if item.nodeid.startswith(LOOKING_IN)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]

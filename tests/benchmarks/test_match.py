"""The benchmark of `segue match` runs at a small size, and finds in a country what the tests of quality find."""

from pathlib import Path

from tests.benchmarks.bench_match import options_of, run


def test_the_benchmark_of_match_says_time_memory_and_what_was_found(tmp_path: Path) -> None:
    found = run(options_of(["--people", "300", "--world", "country"]), tmp_path)
    assert 600 < found["rows"] < 900
    assert found["seconds"] > 0 < found["memory_mb"]
    assert [each["at_least"] for each in found["listed"]] == [0.3, 0.5, 0.8, 0.99]
    assert found["listed"][0]["recall"] > 0.75 < found["listed"][0]["precision"]

"""The contest measures what it says, and writes it down."""

import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.benchmarks import cpu
from tests.benchmarks.contest.__main__ import Contest, options_of, size_of
from tests.benchmarks.contest.figures import Drain, Found, Open, Upset, Wakes, quantile
from tests.benchmarks.contest.gate import difference, sequences
from tests.benchmarks.contest.loader import Job, markers, waking
from tests.benchmarks.contest.machine import described
from tests.benchmarks.contest.picture import picture
from tests.benchmarks.contest.ratios import ratios
from tests.benchmarks.contest.reader import Noted
from tests.benchmarks.contest.results import write
from tests.benchmarks.contest.sizes import SIZES
from tests.benchmarks.contest.turn import refuse_short
from tests.benchmarks.load.events import Events
from tests.benchmarks.load.plan import WAKING_MS
from tests.benchmarks.peers.engine import ROOT
from tests.benchmarks.peers.registry import ENGINES
from tests.servers import temporary_folder
from tests.test_tied import gone, within


def found(engine: str, events_per_s: float, p99_ms: float, gate: str = "passed") -> Found:
    """Make a finding."""
    spent = {"engine": 1.0, "store": 0.5, "broker": 0.5, "reader": 0.1, "loader": 0.2}
    return Found(
        engine,
        500,
        gate,
        800,
        [Drain(1_000, 1_000 / events_per_s, spent), Drain(1_000, 1_100 / events_per_s, spent)],
        {"2,000": [Open(2_000, 8, [p99_ms / 2, p99_ms], 3.0, spent)]},
        Wakes(100, 100, [5.0, 9.0]),
        Upset(2_000, 8, 6.0, 20, 6_000, 6_100),
        None,
    )


def test_help_lists_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options_of(["--help"])
    assert ended.value.code == 0
    assert "besides 75 % of A" in " ".join(capsys.readouterr().out.split())


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert quantile([], 0.99) is None
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(100), 0.99) == 99


def test_a_drain_counts_the_cpu_of_engine_store_and_broker() -> None:
    drain = found("segue", 500, 50).drains[0]
    assert drain.events_per_s == pytest.approx(500)
    assert drain.events_per_cpu_s == pytest.approx(500)


def test_cpu_of_a_process_that_is_gone_is_nothing() -> None:
    assert cpu.of_process(2**22 + 1) == 0
    assert cpu.spent({"engine": 1.0}, {"engine": 3.5, "store": 0.25}) == {"engine": 2.5, "store": 0.25}


def test_reader_tells_events_markers_and_wakes_apart() -> None:
    noted = Noted()
    assert noted.take(b'{"segment":"s1-count","reason":{"events":["/portal evt-b2x17"]}}', 3.5) is None
    assert noted.take(b'{"segment":"probe-marker","events":["/portal evt-a1x-3"]}', 4.0) == "a1x-3"
    exited = b'{"segment":"probe-waking","change":"exited","effective_at":"2026-03-01T00:00:00.000Z","events":[]}'
    assert noted.take(exited, 5.0) is None
    assert noted.take(b'{"segment":"s1-count","change":"exited","events":[]}', 6.0) is None
    assert (noted.changes, noted.events) == (4, [("b2x17", 3.5)])
    assert noted.wakes == [("2026-03-01T00:00:00.000Z", 5.0)]


def test_markers_reach_every_partition_once() -> None:
    job = Job("backlog", "", "", 8, 10, 0, "a")
    names = [json.loads(made.value)["id"] for made in markers(job, Events(10), "m1x")]
    assert sorted(names) == [f"evt-m1x-{n}" for n in range(8)]


def test_waking_events_are_due_within_the_span() -> None:
    job = Job("waking", "", "", 8, 50, 100, "c", start_s=1_790_000_000, span_s=10)
    due = [made.time_ms + WAKING_MS for made in waking(job, Events(50))]
    assert min(due) == 1_790_000_000_000
    assert 1_790_000_009_800 <= max(due) < 1_790_000_010_000


def test_gate_compares_sequences_of_each_profile_and_segment() -> None:
    change = {"profile": "hcp:1", "segment": "s1", "change": "entered", "reason": {"events": ["/portal evt-1"]}}
    peer = {"profile": "hcp:1", "segment": "s1", "change": "entered", "events": ["/portal evt-1"]}
    assert difference(sequences([change]), sequences([peer]), set()) == "passed"
    assert difference(sequences([change]), sequences([]), set()).startswith("failed: 1 of 1")
    assert difference(sequences([change]), sequences([peer, peer]), set()).startswith("failed")
    assert difference(sequences([change]), sequences([]), {"s1"}) == "passed"


def test_results_are_a_table_a_picture_and_figures(tmp_path: Path) -> None:
    size = size_of(options_of([]))
    these = [found("segue", 50_000, 30), found("null", 100_000, 20, "no rules")]
    files = write(these, "day", size, tmp_path)
    text = files[0].read_text()
    assert [file.suffix for file in files] == [".md", ".svg", ".json"]
    assert "| segue | passed | 47,727 (45,455–50,000) | 0.50 |" in text
    assert "30 / 30 (1.50)" in text
    assert files[1].name in text
    assert json.loads(files[2].read_text())["found"][0]["engine"] == "segue"


def test_an_engine_that_fails_the_gate_has_no_rank(tmp_path: Path) -> None:
    these = [found("segue", 50_000, 30, "failed: 1 of 9 differ"), found("null", 100_000, 20, "no rules")]
    text = write(these, "day", size_of(options_of([])), tmp_path)[0].read_text()
    assert "| segue | failed | 47,727 (45,455–50,000) | – |" in text
    assert "(1.50)" not in text


def test_ratios_name_only_what_was_measured() -> None:
    these = [found("segue", 50_000, 30), found("null", 100_000, 20, "no rules"), found("segue-two", 65_000, 30)]
    said = {what: measured for what, measured, _ in ratios(these)}
    assert said["A ÷ null engine, 500 segments"] == "0.50"
    assert said["p99 ÷ null engine's, 2,000 events/s, 500 segments"] == "1.50"
    assert said["two workers ÷ one, 500 segments"] == "1.30"
    assert not any("5,000" in what or "2,000 ÷ 50" in what for what in said)


def test_what_is_wanted_against_a_peer_depends_on_its_kind() -> None:
    peers = ["lua-best", "quix-best", "bytewax-best", "streams-best", "flink-best-alo"]
    these = [found("segue", 50_000, 30), *(found(peer, 25_000, 30) for peer in peers)]
    wanted = {what.split()[2].rstrip(","): wanted for what, _, wanted in ratios(these) if what.startswith("A ÷ ")}
    assert wanted == {
        "lua-best": "at least 4",
        "quix-best": "at least 3",
        "bytewax-best": "at least 3",
        "streams-best": "per CPU-s at least 1",
        "flink-best-alo": "per CPU-s at least 1",
    }


def test_an_earlier_version_is_compared_round_by_round() -> None:
    before, after = found("segue-before", 50_000, 30), found("segue", 40_000, 30)
    after.drains[0].cpu_s = {**after.drains[0].cpu_s, "engine": 1.2}
    said = {what: measured for what, measured, _ in ratios([before, after])}
    assert said["CPU of engine in A ÷ before, 500 segments"] == "1.10 (1.00–1.20)"
    assert said["CPU of store in A ÷ before, 500 segments"] == "1.00 (1.00–1.00)"
    assert said["seconds of A ÷ before, 500 segments"] == "1.25 (1.25–1.25)"
    assert not any("segue-before" in what for what in said)


def test_an_engine_that_is_out_is_named_with_its_reason(tmp_path: Path) -> None:
    out = Found("lua", 500, notes=["out: the engine is not ready"])
    files = write([found("segue", 50_000, 30), out], "day", size_of(options_of([])), tmp_path)
    assert "- lua: out: the engine is not ready" in files[0].read_text()
    assert "lua" not in files[1].read_text()


def test_the_picture_is_whole_xml() -> None:
    drawn = ET.fromstring(picture([found("segue", 50_000, 30), found("<null>", 100_000, 20)]))
    assert drawn.tag.endswith("svg")
    assert len(drawn.findall("{*}polyline")) == 4


def test_circumstances_name_date_machine_versions_rules_and_commit() -> None:
    assert set(described()) == {"date", "commit", "machine", "versions", "rules"}


@pytest.mark.slow
def test_segue_and_the_null_engine_go_through_every_phase(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    options = options_of(["--size", "ci"])
    with temporary_folder() as options.folder:
        segue, null = Contest(options, size_of(options), kafka, valkey).run(50)
    assert segue.gate == "passed"
    assert null.gate == "no rules"
    for one in (segue, null):
        assert one.drains
        assert one.opens["500"][0].latencies_ms
        assert one.killed is not None
        assert one.killed.caught_up_s is not None
    assert segue.wakes is not None
    assert segue.wakes.seen == segue.wakes.wakes == 300
    assert segue.added is not None


def test_wakes_whose_events_came_too_late_are_no_measurement(tmp_path: Path) -> None:
    late = found("segue", 500, 50)
    late.wakes = Wakes(100, 15, [69_000.0], in_time=False)
    assert not any("wakes" in what for what, _, _ in ratios([late]))
    table = write([late], "day", SIZES["day"], tmp_path, [])[0].read_text()
    assert "not measured: events came after their wakes were due" in table


def test_a_drain_of_few_commits_is_refused_and_says_what_to_do() -> None:
    spent = {"engine": 1.0, "store": 0.5, "broker": 0.5}
    refuse_short(Drain(400_000, 30.0, spent), ENGINES["flink-idiomatic"])
    refuse_short(Drain(400_000, 0.001, spent), ENGINES["segue"])
    with pytest.raises(
        RuntimeError, match=r"commits every 10 s: a drain must take 30 s, .*--backlog; this one has 400,000"
    ):
        refuse_short(Drain(400_000, 0.001, spent), ENGINES["flink-idiomatic"])


def test_engines_that_commit_seldom_say_how_often() -> None:
    told = {name: engine.commit_s for name, engine in ENGINES.items() if engine.commit_s}
    assert told == {
        "quix-best": 0.5,
        "streams-best": 0.1,
        "streams-idiomatic": 0.1,
        "flink-best": 1,
        "flink-idiomatic": 10,
    }


def _workers_of(starter: int) -> list[int]:
    """Return the processes of workers that descend from a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == starter and b"worker" in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


@pytest.mark.servers
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_contest_that_is_told_to_end_leaves_no_worker(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.contest", "--size", "ci", "--no-gate", "--engines", "segue"]
    with subprocess.Popen(
        [*command, "--write", str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as contest:
        assert within(60, lambda: bool(_workers_of(contest.pid)))
        workers = _workers_of(contest.pid)
        contest.terminate()
        assert contest.wait(30) == 128 + signal.SIGTERM
    assert within(5, lambda: all(gone(worker) for worker in workers))

"""The Java peers are whole: locked jars, sources that belong together, two designs at two guarantees."""

import json
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from streams.embedded.jars import locked
from streams.embedded.kafka import java_home
from tests.benchmarks.load.plan import make_plan
from tests.benchmarks.peers.java.jars import FAMILIES, FOLDER, Family, classes
from tests.benchmarks.peers.java.launch import MAINS
from tests.benchmarks.peers.java.peers import JAVA_PEERS
from tests.benchmarks.peers.python.sample import BEGIN_MS, END_MS, make_sample, segues_changes
from tests.benchmarks.peers.python.wire import to_text

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)


@each_family
def test_every_jar_of_a_peer_is_locked_by_its_sha256(family: Family) -> None:
    jars = locked(family.lock)
    assert len({jar.name for jar in jars}) == len(jars) > 10
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    have = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars}
    assert {name for group in family.wanted for name in group} <= have
    assert any(jar.artifact == "ecj" for jar in jars)


def test_parts_of_flink_have_one_version() -> None:
    own = {
        jar.version
        for jar in locked(FAMILIES["flink"].lock)
        if jar.group == "org.apache.flink" and "shaded" not in jar.artifact and "kafka" not in jar.artifact
    }
    assert own == {FAMILIES["flink"].lock.what.split()[1]}


@each_family
def test_a_java_source_is_named_after_its_type_and_says_what_it_is(family: Family) -> None:
    for source in family.sources:
        text = source.read_text()
        assert re.search(rf"^(public )?(abstract )?(final )?(abstract )?(class|record) {source.stem}\b", text, re.M)
        assert re.search(r"^/\*\*", text, re.M), source
        assert max(map(len, text.splitlines())) <= 130, source
    assert MAINS[family.name].removeprefix("peers.") in {source.stem for source in family.sources}


def test_every_java_source_belongs_to_a_family() -> None:
    used = {source for family in FAMILIES.values() for source in family.sources}
    assert used == set(FOLDER.rglob("*.java"))


def test_every_framework_comes_in_two_designs_at_two_guarantees() -> None:
    assert {peer.name for peer in JAVA_PEERS} == {
        f"{family}-{how}{suffix}" for family in FAMILIES for how in ("best", "idiomatic") for suffix in ("", "-alo")
    }


@pytest.mark.slow
@each_family
def test_the_java_sources_compile(family: Family) -> None:
    assert (classes(family)[0] / "peers" / "Evaluator.class").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("segments", "profiles", "events"), [(50, 40, 1_500), (500, 60, 2_500)])
@pytest.mark.parametrize("design", ["best", "idiomatic"])
def test_the_java_evaluator_makes_the_changes_of_segues_engine(
    design: str, segments: int, profiles: int, events: int, tmp_path: Path
) -> None:
    plan, arrived = make_plan(segments), make_sample(profiles, events, BEGIN_MS)
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(plan.json())
    path = os.pathsep.join(str(one) for one in classes(FAMILIES["streams"]))
    java = str(java_home() / "bin" / "java")
    done = subprocess.run(
        [java, "-XX:-UsePerfData", "-cp", path, "peers.Replay", design, str(catalogue), str(END_MS)],
        input=b"".join(b"%d %b\n" % (r_ms, made.value) for made, r_ms in arrived),
        stdout=subprocess.PIPE,
        check=True,
    )
    found, expected = defaultdict(list), defaultdict(list)
    for change in map(json.loads, done.stdout.splitlines()):
        found[change["profile"], change["segment"]].append(
            (change["change"], change["effective_at"], "".join(change["events"]))
        )
    for one in segues_changes(plan, arrived, END_MS):
        expected[one.subject, one.segment].append(
            ("entered" if one.entered else "exited", to_text(one.at_ms), one.event)
        )
    assert found == expected

"""The benchmark of affiliations runs at a small size: everybody is told, and every probe comes."""

import asyncio
import json

from streams.embedded import KafkaServer, ValkeyServer
from tests.benchmarks.bench_affiliations import options_of, run
from tests.benchmarks.load.affiliations import with_probes
from tests.benchmarks.load.events import Events
from tests.benchmarks.told_changes import Heard


def test_probes_and_the_organisations_event_bear_their_place_in_the_stream() -> None:
    stream = Events(10).stream(12, lambda n: 1_790_000_000_000 + n, name="x")
    found = [json.loads(one.value) for one in with_probes(stream, 4, 5, "x", "excluded")]
    assert [one["id"] for one in found if one["type"] == "bench.marker"] == [
        "evt-probe-3",
        "evt-probe-7",
        "evt-probe-11",
    ]
    assert (found[5]["type"], found[5]["subject"]) == ("formulary.changed", "payer:1")
    assert found[5]["data"] == {"status": "excluded"}
    assert len(found) == 12


def test_changes_of_people_and_of_probes_are_told_apart() -> None:
    heard = Heard()
    heard.take(b'{"segment":"told-covered","reason":{"events":["/mdm evt-told-x"]}}', 2.0)
    heard.take(b'{"segment":"probe-marker","reason":{"events":["/mdm evt-probe-7"]}}', 3.0)
    heard.take(b'{"segment":"s0001-count","reason":{"events":["/mdm evt-told-x"]}}', 4.0)
    heard.take(b'{"segment":"told-covered","reason":{"events":[]}}', 5.0)
    assert (heard.told_s, heard.probes_s, heard.last_s) == ([2.0], {7: 3.0}, 3.0)


def test_an_organisations_event_reaches_everybody_beside_other_profiles(
    kafka: KafkaServer, valkey: ValkeyServer
) -> None:
    small = [
        "--people",
        "600",
        "--rate",
        "100",
        "--seconds",
        "4",
        "--at",
        "2.5",
        "--segments",
        "5",
        "--partitions",
        "4",
    ]
    found = asyncio.run(run(options_of([*small, "--profiles", "50"]), kafka.bootstrap, valkey.redis_url))
    telling, effects = found["telling"], found["effects"]
    assert found["ties"]["people"] == 600
    assert 0 < telling["first_s"] <= telling["last_s"]
    assert telling["others"]["before"]["probes"] > 0
    assert effects["segue.tied"]["records"] == 600
    assert effects["segue.reached"]["records"] >= 2 * 600
    assert effects["segue.reaching"]["records"] >= 2  # two pages
    assert 0 < effects["segue.reached"]["largest_bytes"] < 1_000
    assert telling["worker"]["transaction_records_max"] > 0

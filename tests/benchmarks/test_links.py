"""The benchmark of links runs at a small size, and every change that a link must make comes."""

import asyncio
import json

from streams.embedded import KafkaServer, ValkeyServer
from tests.benchmarks.bench_links import options_of, run
from tests.benchmarks.link_changes import Heard
from tests.benchmarks.load import persons
from tests.benchmarks.load.events import Events


def test_links_among_other_events_bear_their_place_in_the_stream() -> None:
    stream = Events(10).stream(12, lambda n: 1_790_000_000_000 + n, name="x")
    found = [json.loads(one.value) for one in persons.with_links(stream, 4, "x", first=7)]
    linked = [one for one in found if one["type"] == "identity.linked"]
    assert [one["id"] for one in linked] == ["evt-x3", "evt-x7", "evt-x11"]
    assert [one["subject"] for one in linked] == ["crm:p0000007", "crm:p0000008", "crm:p0000009"]
    assert linked[0]["data"] == {"canonical": "hcp:p0000007"}
    assert len(found) == 12


def test_exits_and_entries_of_a_link_are_told_apart() -> None:
    heard = Heard()
    heard.take(b'{"segment":"probe-marker","change":"exited","reason":{"events":["/mdm evt-x3"]}}', 2.0)
    heard.take(b'{"segment":"probe-marker","change":"entered","reason":{"events":["/mdm evt-x3"]}}', 3.0)
    heard.take(b'{"segment":"s0001-count","change":"entered","reason":{"events":["/mdm evt-x3"]}}', 4.0)
    heard.take(b'{"segment":"probe-marker","change":"exited","reason":{"events":[]}}', 5.0)
    assert (heard.count, heard.first_s, heard.last_s) == (2, 2.0, 3.0)
    assert (heard.exited_s, heard.entered_s) == ({"x3": 2.0}, {"x3": 3.0})


def test_links_of_a_backlog_and_under_load_make_every_change(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    small = ["--links", "200", "--back", "0.1", "--segments", "5", "--rate", "200", "--every", "10", "--seconds", "3"]
    options = options_of([*small, "--profiles", "50", "--partitions", "4"])
    found = asyncio.run(run(options, kafka, valkey.redis_url))
    assert found["persons"] == 260
    assert {name: found[name]["changes"] for name in ("facts", "links", "back")} == {
        "facts": 260,
        "links": 400,
        "back": 40,
    }
    assert found["open_loop"]["timed"] > 0
    assert 0 < found["open_loop"]["exit_p50_ms"] <= found["open_loop"]["exit_p99_ms"]
    assert found["open_loop"]["take_over_p50_ms"] > 0

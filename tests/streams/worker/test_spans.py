"""Spans of a live worker, exported over OTLP to a receiver in this process, and none where they are off."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.embedded import KafkaServer, ValkeyServer
from streams.metrics.spans import traceparent_of
from tests.servers import unique
from tests.streams.live import Live, live, wait_for
from tests.streams.world import catalogue

SAMPLED = "00-{0:032x}-00f067aa0ba902b7-01"


class Receiver:
    """An OTLP receiver."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.raw = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                receiver.take(self.path, body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for each in resource.resource.attributes:
                if each.key == "service.name":
                    self.services.add(each.value.string_value)
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


async def send(running: Live, number: int) -> None:
    subject = f"hcp:secret-{number}"
    event = {
        "specversion": "1.0",
        "id": f"id-{number}",
        "source": "/test",
        "type": "portal.login",
        "subject": subject,
        "time": format_instant(SystemClock().wall_ms()),
    }
    trace = SAMPLED.format(number + 1) if number % 2 else f"00-{number + 1:032x}-00f067aa0ba902b7-00"
    await running.producer.send(
        running.deployment.events_topic,
        json.dumps(event).encode(),
        key=subject.encode(),
        partition=partition_of(subject.encode(), running.deployment.partitions),
        headers=[("traceparent", trace.encode())],
    )


@pytest.mark.servers
async def test_one_span_a_transaction_with_links_to_sampled_traces_and_nothing_of_a_person(
    kafka: KafkaServer, valkey: ValkeyServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    async with live(unique("spans"), kafka.bootstrap, valkey.redis_url, partitions=2) as running:
        await running.apply(catalogue("known|enter: {everyone: true}"))
        worker = running.start_worker(otel=True)
        await wait_for(lambda: (worker.status() or {}).get("ready"))
        for number in range(40):
            await send(running, number)
        await running.producer.flush()

        def told(span: Span, name: str) -> int:
            return next(int(each.value.int_value) for each in span.attributes if each.key == name)

        await wait_for(lambda: sum(told(span, "segue.changes") for span in receiver.spans) == 40)
        assert worker.stop() == 0
    spans = receiver.spans
    assert {span.name for span in spans} == {"segue.transaction"}
    assert receiver.services == {"segue"}
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in spans)
    linked = {int.from_bytes(link.trace_id) for span in spans for link in span.links}
    left_out = sum(told(span, "segue.links_left_out") for span in spans)
    assert linked <= {number + 1 for number in range(40) if number % 2}
    assert len(linked) + left_out == 20
    assert b"hcp:" not in receiver.raw
    assert b"id-1" not in receiver.raw


def test_no_exporter_is_imported_where_spans_are_off() -> None:
    # redis imports OpenTelemetry's API where it is installed: what spans need is not there
    needed = "('opentelemetry.exporter', 'opentelemetry.sdk.trace')"
    program = f"import sys, streams.worker.worker; print([name for name in sys.modules if name.startswith({needed})])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trace_that_is_malformed_or_not_sampled_is_none() -> None:
    good = SAMPLED.format(7).encode()
    assert traceparent_of([("a", b""), ("traceparent", good)]) == good
    for wrong in (good[:-2] + b"00", good[:-1], b"", b"00-xyz", good.upper().replace(b"F", b"G")):
        assert traceparent_of([("traceparent", wrong)]) is None

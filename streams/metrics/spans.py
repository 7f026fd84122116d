"""Spans for OpenTelemetry: one for each transaction, linked to some of the producers' own traces. Off by default.

The SDK is imported only where SEGUE_OTEL asks for it. Where to send is said by OpenTelemetry's own variables
(OTEL_EXPORTER_OTLP_ENDPOINT, …). Attributes hold counts: no key, no subject, no event id.
"""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from streams.metrics.build import segue_version
from streams.metrics.tally import Notes

if TYPE_CHECKING:
    from opentelemetry.trace import Link

LINKS_MAX: Final = 32
"""Links of a span; the others are counted in `segue.links_left_out`."""
HEADER: Final = "traceparent"
_SAMPLED: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f][13579bdf]")
"""W3C Trace Context of a trace that its producer samples."""
MISSING: Final = (
    "SEGUE_OTEL is true, but OpenTelemetry is not installed: install segue[otel], or leave SEGUE_OTEL unset"
)


class SpansMissing(Exception):
    """OpenTelemetry's SDK is not installed. The message is one sentence that says what to do."""


def traceparent_of(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """Return the trace of a record that its producer samples; None: it has none."""
    for name, value in headers:
        if name == HEADER and value is not None and _SAMPLED.fullmatch(value):
            return value
    return None


class Spans:
    """Makes the spans of one worker, and exports them from a thread of the SDK."""

    def __init__(self, generation: str) -> None:
        """Raises SpansMissing."""
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise SpansMissing(MISSING) from None
        self._trace: Final = trace
        told = {"service.version": segue_version(), "segue.generation": generation}
        if "OTEL_SERVICE_NAME" not in os.environ:
            told["service.name"] = "segue"
        resource = Resource.create(told)
        self._provider: Final = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Final = self._provider.get_tracer("segue")

    def transaction(
        self, notes: Sequence[tuple[int, Notes]], partitions: int, began_ms: float, ended_ms: float, *, answered: bool
    ) -> None:
        """Make the span of a transaction. Instants are UTC epoch ms. `answered`: its commit was answered."""
        traces = list(dict.fromkeys(trace for _, each in notes for trace in each.traces))
        kept = traces[:: max(1, -(-len(traces) // LINKS_MAX))]
        attributes = {
            "segue.partitions": partitions,
            "segue.changes": sum(len(each.changes) for _, each in notes),
            "segue.dead_letters": sum(len(each.refusals) for _, each in notes),
            "segue.links_left_out": len(traces) - len(kept),
        }
        span = self._tracer.start_span(
            "segue.transaction",
            kind=self._trace.SpanKind.PRODUCER,
            attributes=attributes,
            links=[self._link(each) for each in kept],
            start_time=int(began_ms * 1e6),
        )
        if not answered:
            span.set_status(self._trace.StatusCode.ERROR, "the commit was not answered")
        span.end(end_time=int(ended_ms * 1e6))

    def flush(self, deadline_ms: int) -> None:
        """Export what is left; blocks at most so long."""
        self._provider.force_flush(deadline_ms)

    def _link(self, traceparent: bytes) -> "Link":
        _, trace_id, span_id, flags = traceparent.decode().split("-")
        context = self._trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=self._trace.TraceFlags(int(flags, 16))
        )
        return self._trace.Link(context)

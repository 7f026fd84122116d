"""Serves /metrics over HTTP at an address of its own: text for Prometheus, OpenMetrics for those who ask for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from streams.metrics.exposition import Exposition, Read
from streams.metrics.names import Family
from streams.web import answering

PATH: Final = "/metrics"
HOST, PORT = "SEGUE_METRICS_HOST", "SEGUE_METRICS_PORT"


def registry(families: Sequence[Family], read: Read) -> CollectorRegistry:
    """Return a registry of these families, and of the process: memory, CPU, open files, start (`process_…`)."""
    found = CollectorRegistry(auto_describe=False)
    found.register(Exposition(families, read))
    ProcessCollector(registry=found)
    return found


@asynccontextmanager
async def serving_metrics(families: Sequence[Family], read: Read, host: str, port: int) -> AsyncIterator[str]:
    """Answer GET /metrics. Yields its URL; port 0 takes a free port. Raises AddressRefused."""
    source = registry(families, read)

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        response = web.Response(body=encode(source), headers={"content-type": content_type})
        response.enable_compression()
        return response

    async with answering({PATH: answer}, host, port, (HOST, PORT)) as where:
        yield f"{where}{PATH}"

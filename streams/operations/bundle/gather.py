"""A bundle: what everybody who looks into a fault asks for first, gathered into one file.

manifest.json  when, and what could not be had, with the reason
versions.json, settings.json, doctor.json, lag.json, topics.json
NAME/status.json, NAME/ready.json, NAME/metrics.txt   of each process that was named
log-N.ndjson   the last lines of each log that was named
"""

import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from rules.ground.instants import format_instant
from streams.clock import SystemClock
from streams.operations.bundle.parts import log_lines, settings_told, versions
from streams.operations.doctor.examine import examine
from streams.operations.errors import OperationError
from streams.operations.lag import lag_meter
from streams.operations.provision import topics_in_force
from streams.operations.servers import Servers

ANSWER_S: Final = 5.0
"""How long a process may take to answer."""
PAGES: Final[Mapping[str, str]] = {"status.json": "/status", "ready.json": "/ready"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What to gather besides what the servers tell."""

    pages: Sequence[str] = ()
    """Addresses of the pages of workers and deliverers: `http://127.0.0.1:6066`."""
    metrics: Sequence[str] = ()
    """Addresses of their metrics."""
    logs: Sequence[Path] = ()


@dataclass(slots=True)
class Bundle:
    """Files by name, and what could not be had."""

    files: dict[str, bytes] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    """Why, by name of the file."""

    def add_json(self, name: str, value: Any) -> None:
        """Add a file of JSON."""
        self.files[name] = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)

    def packed(self, at_ms: int) -> bytes:
        """Return the bundle as a ZIP file."""
        self.add_json(
            "manifest.json",
            {"made_at": format_instant(at_ms), "files": sorted(self.files), "not_to_be_had": self.lacking},
        )
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in sorted(self.files.items()):
                archive.writestr(name, data)
        return packed.getvalue()


async def gather(servers: Servers, asked: Asked) -> Bundle:
    """Gather a bundle. What cannot be had is named in it; raises OSError where a log cannot be read."""
    bundle = Bundle()
    bundle.add_json("versions.json", versions())
    bundle.add_json("settings.json", settings_told(servers.deployment, servers.settings))
    found = await examine(servers, write=False)
    bundle.add_json("doctor.json", found.as_json())
    away = [each.said for each in found.checked if each.outcome == "away"]
    await _have(bundle, "lag.json", away, lambda: _lag(servers))
    await _have(bundle, "topics.json", away, lambda: _topics(servers))
    for index, address in enumerate(asked.pages):
        for name, path in PAGES.items():
            await _fetch(bundle, f"process-{index}/{name}", address + path)
    for index, address in enumerate(asked.metrics):
        await _fetch(bundle, f"process-{index}/metrics.txt", address + "/metrics")
    for index, file in enumerate(asked.logs):
        lines, others = log_lines(file)
        bundle.files[f"log-{index}.ndjson"] = b"".join(orjson.dumps(each) + b"\n" for each in lines)
        if others:
            what = (
                "1 line is not JSON as Segue logs it, and was"
                if others == 1
                else f"{others} lines are not JSON as Segue logs it, and were"
            )
            bundle.lacking[f"log-{index}.ndjson"] = f"{what} left out"
    return bundle


async def _have(bundle: Bundle, name: str, away: Sequence[str], make: Callable[[], Awaitable[Any]]) -> None:
    if away:
        bundle.lacking[name] = away[0]
        return
    try:
        bundle.add_json(name, await make())
    except OperationError as error:
        bundle.lacking[name] = str(error)


async def _lag(servers: Servers) -> Any:
    async with lag_meter(servers) as meter:
        return (await meter.measure()).as_json()


async def _topics(servers: Servers) -> Any:
    async with servers.cluster() as cluster:
        table = await topics_in_force(cluster, servers.log, servers.deployment)
        found = await cluster.existing([each.name for each in table])
        return {
            name: {"partitions": each.partitions, "replicas_min": each.replicas_min, "settings": each.configs}
            for name, each in found.items()
        }


async def _fetch(bundle: Bundle, name: str, url: str) -> None:
    """Ask a process for a page. A page that says 503 is one, too."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session,
            session.get(url) as answer,
        ):
            bundle.files[name] = await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        bundle.lacking[name] = f"{url} did not answer ({type(error).__name__})"


def default_name() -> str:
    """Return the name of a bundle made now."""
    return f"segue-bundle-{format_instant(SystemClock().wall_ms())[:19].replace(':', '').replace('-', '')}Z.zip"

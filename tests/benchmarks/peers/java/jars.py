"""The jars of the Java peers, and their classes.

    python -m tests.benchmarks.peers.java.jars prepare     (downloads and compiles; a start does so too)
    python -m tests.benchmarks.peers.java.jars lock        (for maintainers: resolves the versions anew)

The jars come as the broker's do (streams/embedded/jars.py), into the same cache. The JDK of the embedded servers has no
compiler; the Eclipse batch compiler is one jar. Classes are kept in the cache by the checksum of their sources.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streams.embedded.errors import EmbeddedError
from streams.embedded.jars import Lock, cache_folder, classpath, maven, write_locked
from streams.embedded.kafka import java_home

FOLDER: Final = Path(__file__).parent
COMPILER: Final = "org.eclipse.jdt:ecj:3.44.0"
LOGGING: Final = "org.slf4j:slf4j-simple:1.7.36"
JAVA: Final = "17"
"""The language's version."""
COMPILE_TIMEOUT_S: Final = 120
PROVIDED: Final = frozenset({"async-profiler"})
"""Dependencies that nothing here uses and that carry native programs."""


@dataclass(frozen=True, slots=True)
class Family:
    """A framework: its jars and its sources."""

    name: str
    """Of its folder and its lock file."""
    lock: Lock
    wanted: Sequence[Sequence[str]]
    """Coordinates; each group is resolved by itself, and the first version found of an artifact stays."""

    @property
    def sources(self) -> list[Path]:
        """All its sources."""
        return sorted((*(FOLDER / "common").glob("*.java"), *(FOLDER / self.name).glob("*.java")))


STREAMS: Final = Family(
    "streams",
    Lock("Kafka Streams 4.2.1", FOLDER / "streams.lock.toml"),
    (("org.apache.kafka:kafka-streams:4.2.1",),),
)
# the connector's dependencies are resolved apart: beside it, jgo takes Flink 2.1 for parts of Flink 2.2
FLINK: Final = Family(
    "flink",
    Lock("Flink 2.2.1", FOLDER / "flink.lock.toml"),
    (
        tuple(
            f"org.apache.flink:{artifact}:2.2.1"
            for artifact in (
                "flink-clients",
                "flink-streaming-java",
                "flink-statebackend-rocksdb",
                "flink-connector-base",
            )
        ),
        ("org.apache.flink:flink-connector-kafka:5.0.0-2.2",),
    ),
)
FAMILIES: Final = {family.name: family for family in (STREAMS, FLINK)}


def say(step: str) -> None:
    """Tell what goes on."""
    print(step, file=sys.stderr, flush=True)


def classes(family: Family) -> list[Path]:
    """Return the class path of a family: its compiled sources, then its jars. Downloads and compiles if need be."""
    jars = classpath(say, family.lock)
    digest = hashlib.sha256(family.lock.file.read_bytes())
    for source in family.sources:
        digest.update(source.read_bytes())
    compiled = cache_folder() / f"peers-{family.name}-{digest.hexdigest()[:16]}"
    if not compiled.exists():
        _compile(family, jars, compiled)
    return [compiled, *(jar for jar in jars if not jar.name.startswith("ecj-"))]


def _compile(family: Family, jars: Sequence[Path], compiled: Path) -> None:
    compiler = next(jar for jar in jars if jar.name.startswith("ecj-"))
    with tempfile.TemporaryDirectory(prefix="compiling-", dir=compiled.parent) as scratch:
        made = Path(scratch) / "classes"
        command = [str(java_home() / "bin" / "java"), "-XX:+UseSerialGC", "-jar", str(compiler)]
        options = ["-source", JAVA, "-target", JAVA, "-nowarn", "-d", str(made)]
        options += ["-cp", os.pathsep.join(str(jar) for jar in jars)]
        done = subprocess.run(
            [*command, *options, *(str(source) for source in family.sources)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"{family.name} does not compile:\n{done.stdout.decode(errors='replace')}")
        # if another process was quicker, its classes stay
        with suppress(OSError):
            made.rename(compiled)


def write_lock(family: Family) -> None:
    """Resolve a family anew and write its lock file."""
    with tempfile.TemporaryDirectory() as scratch:
        context = maven(Path(scratch))
        found: dict[tuple[str, str], Any] = {}
        for wanted in (*family.wanted, (COMPILER,), (LOGGING,)):
            first, others = context.resolver.resolve([context.create_dependency(one) for one in wanted])
            for dependency in (*first, *others):
                artifact = dependency.artifact
                if dependency.scope in (None, "compile", "runtime") and artifact.artifactId not in PROVIDED:
                    found.setdefault((artifact.groupId, artifact.artifactId), artifact)
        write_locked(family.lock, found.values(), "Written by `python -m tests.benchmarks.peers.java.jars lock`.")


if __name__ == "__main__":
    for each in FAMILIES.values():
        if sys.argv[1:] == ["lock"]:
            write_lock(each)
        else:
            say(f"{each.name}: {classes(each)[0]}")

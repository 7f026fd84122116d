"""Become a Java peer: `python -m tests.benchmarks.peers.java.launch FAMILY DESIGN`. The process stays the same one."""

import os
import sys
from typing import Final

from streams.embedded.kafka import java_home
from tests.benchmarks.peers.java.jars import FAMILIES, classes

HEAP: Final = ("-Xms1g", "-Xmx3g")
OPTIONS: Final = ("-XX:+UseG1GC", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
MAINS: Final = {"streams": "peers.StreamsPeer", "flink": "peers.FlinkPeer"}
OPENED: Final = ("java.lang", "java.lang.reflect", "java.net", "java.nio", "java.time", "java.util", "sun.nio.ch")
"""Packages that Flink reads by reflection."""


def main(family: str, design: str) -> None:
    """Compile if need be, and replace this process."""
    java = str(java_home() / "bin" / "java")
    path = os.pathsep.join(str(one) for one in classes(FAMILIES[family]))
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    native = ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    os.execv(java, [java, *HEAP, *OPTIONS, *opened, *native, "-cp", path, MAINS[family], design])


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Reads the changes that an organisation's event and the probes beside it make: which came, and when."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from tests.benchmarks.load.affiliations import PROBE_NAME, SOURCE, TOLD_NAME, TOLD_SEGMENT
from tests.benchmarks.load.plan import MARKER_SEGMENT

STALL_S: Final = 60
"""Without a change: what is missing then does not come."""
EVENT: Final = f'"events":["{SOURCE} evt-'.encode()
_TOLD: Final = f'"segment":"{TOLD_SEGMENT}"'.encode()
_PROBE: Final = f'"segment":"{MARKER_SEGMENT}"'.encode()


@dataclass
class Heard:
    """The changes of TOLD_SEGMENT and of the probes since `begin`."""

    told_s: list[float] = field(default_factory=list)
    """When each change of TOLD_SEGMENT arrived, in order."""
    probes_s: dict[int, float] = field(default_factory=dict)
    """By the place of a probe in the stream: when its change arrived."""
    last_s: float = 0.0

    def begin(self) -> None:
        """Forget what was heard."""
        self.told_s, self.probes_s = [], {}

    def take(self, value: bytes, now_s: float) -> None:
        """Take a change in. It parses no JSON, so that it costs little."""
        begin = value.find(EVENT)
        if begin < 0:
            return
        begin += len(EVENT)
        name = value[begin : value.index(b'"', begin)].decode()
        if name.startswith(TOLD_NAME) and _TOLD in value:
            self.told_s.append(now_s)
        elif name.startswith(PROBE_NAME) and _PROBE in value:
            self.probes_s[int(name.removeprefix(PROBE_NAME))] = now_s
        else:
            return
        self.last_s = now_s

    async def wait(self, told: int, probes: int = 0) -> None:
        """Wait for so many changes. Raises RuntimeError: they do not come."""
        began_s = time.time()
        while len(self.told_s) < told or len(self.probes_s) < probes:
            await asyncio.sleep(0.02)
            if time.time() - max(began_s, self.last_s) > STALL_S:
                people = f"{len(self.told_s):,} of {told:,} people"
                raise RuntimeError(f"{people} and {len(self.probes_s):,} of {probes:,} probes came")

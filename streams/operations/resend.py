"""Send mended events again, under their own identity: source, id and time as they stand in the file.

Every line is decoded before the first is sent, by the dictionary in force and by the very rules of the worker. What the
worker would refuse is refused here, with its line and its place. The key is the subject and the partition is the key's.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from rules.engine.decode import decode
from rules.engine.record import EMPTY_DICTIONARY
from rules.engine.refusal import Refusal
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from streams.clock import SystemClock
from streams.operations.errors import StillRefused
from streams.operations.line_batches import line_batches
from streams.operations.send import CLOUDEVENT, OnBatch, Sent, send_lines
from streams.operations.servers import Servers, compiled

OWN_TYPE: Final = "own_type"
"""The code of a line of the workers' own types, segue.*: nobody else may send one."""


async def resend(servers: Servers, file: Path, on_batch: OnBatch = lambda *_: None) -> Sent:
    """Send the events of a file; return when every delivery is acknowledged.

    Raises StillRefused, and nothing was sent; TopicMissing; Unreachable; OSError. The file is read twice, so it cannot
    be a pipe.
    """
    stored = await servers.latest_catalogue()
    in_force = None if stored is None or stored.value is None else compiled(stored.value)
    dictionary = EMPTY_DICTIONARY if in_force is None else in_force.dictionary
    refused = [each async for each in _refused(file, dictionary)]
    if refused:
        raise StillRefused(refused)
    return await send_lines(servers, line_batches(file), on_batch=on_batch)


async def _refused(file: Path, dictionary: Dictionary) -> AsyncIterator[tuple[int, str, str]]:
    """Yield the line, the code and the place of every event that a worker would refuse."""
    number = 0
    async for _, lines in line_batches(file):
        for line in lines:
            number += 1
            refusal = _refusal(line.strip(b" \t\r\n"), dictionary)
            if refusal is not None:
                yield (number, *refusal)


def _refusal(line: bytes, dictionary: Dictionary) -> tuple[str, str] | None:
    if not line:
        return None
    headers: Sequence[tuple[str, bytes]] = CLOUDEVENT
    found = decode(line, headers, dictionary, SystemClock().wall_ms())
    if isinstance(found, Refusal):
        return found.code, found.place
    return None if isinstance(found, Event) else (OWN_TYPE, "type")

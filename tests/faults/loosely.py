"""Runs in which history reaches persons through links: what waits for it is judged by the end, all else as ever.

The fill brings history to an alias in its own partition, and an effect brings it on. So the end of the links may know
it later than the end of its own fill, and is judged by what is there. From the log nobody knows when somebody enters a
segment that waits for history, but who is in it at the end. Of all other segments and activations every change is known
to the byte, but for its number.
"""

import json
from collections.abc import Mapping, Sequence, Set


def firmly(values: Sequence[bytes], loose: Set[str]) -> list[bytes]:
    """Return the changes without those of loose names, and without numbers that count these."""
    return [firm for value in values if (firm := _firm(value, loose))] if loose else list(values)


def _firm(value: bytes, loose: Set[str]) -> bytes:
    change = json.loads(value)
    if (change.get("segment") or change["activation"]) in loose:
        return b""
    del change["id"], change["sequence"]
    return json.dumps(change).encode()


def firm_standing(standing: Mapping[bytes, bytes], loose: Set[str]) -> dict[bytes, bytes]:
    """Return what stands in a compacted topic, of loose names without the change that made them stand."""
    return {key: _firm(value, loose) for key, value in standing.items()} if loose else dict(standing)

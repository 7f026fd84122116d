"""The promises about changes, one by one: each takes the published changes, and raises Violated with its letter.

They hold for the memberships and for each channel, in each topic by itself. Records of different topics have no common
order. Offsets do not tell where a transaction begins, either: with a ring of producers, records of one transaction may
stand before the marker of the one before. But each progress record has the digest of all changes of the partition in
their one order, and that digest is compared with the model's.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any, Protocol

from tests.faults.loosely import firm_standing
from tests.faults.model import Change


class Violated(AssertionError):
    """A promise is broken. The text begins with its letter."""


def compare(where: str, wanted: Sequence[bytes], values: Sequence[bytes]) -> None:
    """L0, D0, O0 for one topic and partition: its changes are the expected ones, to the byte and in order."""
    if values == wanted:
        return
    counted = Counter(values)
    repeated = [value for value, times in counted.items() if times > 1]
    if repeated:
        raise Violated(f"D0 {where}: {len(repeated)} changes are there twice, first {_say(repeated[0])}")
    missing = set(wanted) - counted.keys()
    extra = counted.keys() - set(wanted)
    if missing or extra:
        first = next((n for n, pair in enumerate(zip(values, wanted, strict=False)) if pair[0] != pair[1]), -1)
        here = values[first] if 0 <= first < len(values) else None
        there = wanted[first] if 0 <= first < len(wanted) else next(iter(missing), None)
        raise Violated(
            f"L0 {where}: {len(missing)} changes missing, {len(extra)} not expected;"
            f" first at {first}: found {_say(here)}, expected {_say(there)}"
        )
    place = next(n for n, pair in enumerate(zip(values, wanted, strict=True)) if pair[0] != pair[1])
    raise Violated(f"O0 {where}: order differs at {place}: {_say(values[place])} before {_say(wanted[place])}")


def check_sequences(values: Sequence[bytes]) -> None:
    """O0 alone: in one topic each profile's sequence is 1, 2, 3 … in order."""
    last: Counter[str] = Counter()
    for change in map(json.loads, values):
        last[change["profile"]] += 1
        if change["sequence"] != last[change["profile"]]:
            raise Violated(f"O0 {change['id']} came where {last[change['profile']]} was expected")


def check_payloads(values: Sequence[bytes]) -> None:
    """C0: no id has two payloads."""
    seen: dict[str, bytes] = {}
    for value in values:
        id_ = json.loads(value)["id"]
        if seen.setdefault(id_, value) != value:
            raise Violated(f"C0 {id_} has two payloads: {_say(seen[id_])} and {_say(value)}")


def check_progress(where: str, digests: Mapping[int, str], progress: Sequence[bytes]) -> None:
    """O0 across topics: every progress record has the digest of all changes before its offset, in canonical order.

    `digests`: by offset; the last one is that of all.
    """
    last = digests[max(digests)]
    for value in progress:
        found = json.loads(value)
        if found["digest"] != digests.get(found["offset"], last):
            raise Violated(f"O0 {where}: the changes before record {found['offset']} were in another order")


def check_standing(
    where: str, changes: Sequence[Change], standing: Mapping[bytes, bytes], loose: Set[str] = frozenset()
) -> None:
    """S0 for a compacted topic: under `subject|name` it has the change of each standing one, and nothing else.

    `loose`: names of which it counts only that they stand.
    """
    wanted: dict[bytes, bytes] = {}
    for change in changes:
        key = f"{change.subject}|{change.name}".encode()
        if change.stands:
            wanted[key] = change.value
        else:
            wanted.pop(key, None)
    standing, wanted = firm_standing(standing, loose), firm_standing(wanted, loose)
    if standing != wanted:
        wrong = {key for key in standing.keys() | wanted.keys() if standing.get(key) != wanted.get(key)}
        raise Violated(f"S0 {where}: {len(wrong)} standing ones differ, as {min(wrong)!r}")


class Known(Protocol):
    """What is known of a subject."""

    @property
    def alive(self) -> bool: ...
    @property
    def told(self) -> Mapping[Any, Any]: ...
    @property
    def forgotten(self) -> bool: ...


class Profiled(Protocol):
    """A partition of the model, with all subjects that it ever heard of."""

    @property
    def profiles(self) -> Mapping[str, Known]: ...


def check_profiles(partition: int, model: Profiled, found: Set[str], hidden: int, *, keyed: bool) -> None:
    """S0 for the profiles in Redis: everybody who is known is there, and nobody that was never heard of.

    `hidden`: how many are named by a hash. `keyed`: there is an erasure key, so whoever is forgotten has a hash and no
    name there; without one everybody has a name.
    """
    known = {name for name, profile in model.profiles.items() if profile.told or profile.alive}
    if not known <= found or not found <= model.profiles.keys():
        raise Violated(f"S0 partition {partition}: {len(found)} profiles in Redis, {len(known)} expected")
    forgotten = {name for name, profile in model.profiles.items() if profile.forgotten}
    if hidden != (len(forgotten) if keyed else 0) or (keyed and found & forgotten):
        raise Violated(
            f"S0 partition {partition}: {len(forgotten)} subjects are forgotten, {hidden} are named by a hash in Redis,"
            f" and {len(found & forgotten)} by their names"
        )


def _say(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode()[:260]

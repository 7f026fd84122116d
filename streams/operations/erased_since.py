"""Whether a profile was erased since an instant in the past: then nothing is told of the time before."""

from collections.abc import Sequence

from rules.engine.persons.packed import Identity
from rules.engine.profile import Profile, unpack
from rules.ground.partitioning import by_partition, partition_of
from streams.operations.errors import NoState, OtherState, WrongInput
from streams.operations.profile_state import read_together
from streams.operations.servers import Servers


class ErasedSince(WrongInput):
    """A profile was erased after the instant asked about. The profile is not named: a subject is personal data."""

    def __init__(self) -> None:
        super().__init__("the profile was erased since: nothing is told of what was before")


async def erasure_of(servers: Servers, subject: str) -> Identity | None:
    """Return the erasure that stands for a subject now; None: it was never erased. Raises OtherState; Unreachable."""
    partition = partition_of(subject.encode(), servers.deployment.partitions)
    [found] = await erasures_of(servers, partition, [subject])
    return found


async def erasures_of(servers: Servers, partition: int, subjects: Sequence[str]) -> list[Identity | None]:
    """Return the erasures of subjects of one partition, in the same order. Raises as `erasure_of`."""
    if not subjects:
        return []
    try:
        async with servers.stored(partition) as store:
            _, blobs = await read_together(store, partition, subjects)
    except NoState:
        return [None] * len(subjects)
    return [_erased(subject, blob) for subject, blob in zip(subjects, blobs, strict=True)]


async def erased_for_good(servers: Servers, subjects: Sequence[str], erasure: str) -> set[str]:
    """Return which of these subjects an erasure forgot, and of which nothing is known since. Raises as `erasure_of`.

    `erasure`: `source id` of its event.
    """
    parted = by_partition(subjects, servers.deployment.partitions)
    found: set[str] = set()
    for partition, here in parted.items():
        async with servers.stored(partition) as store:
            _, blobs = await read_together(store, partition, here)
        for subject, blob in zip(here, blobs, strict=True):
            person = None if blob is None else _profile(subject, blob).person
            if person is not None and person.erased is not None and not person.parts:
                found |= {subject} if f"{person.erased.source} {person.erased.id}" == erasure else set()
    return found


def erased_by(profile: Profile) -> Identity | None:
    """Return the erasure that stands for a profile as it is at hand."""
    return None if profile.person is None else profile.person.erased


def _erased(subject: str, blob: bytes | None) -> Identity | None:
    return None if blob is None else erased_by(_profile(subject, blob))


def _profile(subject: str, blob: bytes) -> Profile:
    try:
        return unpack(subject, blob)
    except ValueError:
        raise OtherState from None

"""Whether a profile was erased since an instant in the past: then nothing is told of the time before."""

from collections.abc import Sequence

from rules.engine.persons.packed import Identity
from rules.engine.profile import Profile, unpack
from rules.ground.partitioning import partition_of
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


def erased_by(profile: Profile) -> Identity | None:
    """Return the erasure that stands for a profile as it is at hand."""
    return None if profile.person is None else profile.person.erased


def _erased(subject: str, blob: bytes | None) -> Identity | None:
    if blob is None:
        return None
    try:
        return erased_by(unpack(subject, blob))
    except ValueError:
        raise OtherState from None

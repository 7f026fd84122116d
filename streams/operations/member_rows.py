"""The members of a segment or the profiles of an activation as rows, now or at an instant in the past."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.persons.joining import rejoin
from rules.engine.profile import Profile, unpack
from rules.ground.instants import parse_instant
from streams.operations.errors import OtherState, UnknownName
from streams.operations.member_columns import OF_STATE, Column, Of, read_columns, told_value
from streams.operations.members import scan
from streams.operations.naming import resolve
from streams.operations.profile_state import read_together
from streams.operations.servers import Servers
from streams.operations.sight import Sight
from streams.operations.snapshots import standing_changes
from streams.store.redis import RedisStore
from streams.wire.names import channel_topics, restricted_topics

Row: TypeAlias = tuple[Any, ...]
"""A value for each column; an instant is in epoch milliseconds, a list a list of texts, None no value."""
READ_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, once its name and its columns are known."""

    of: Of
    name: str
    columns: tuple[Column, ...]
    channel: str | None
    """Of an activation."""
    hidden: bool
    """Of a segment: whether its memberships stand in the restricted topic."""

    @property
    def needs_change(self) -> bool:
        """Tell whether a column shows something of the change that made the member one."""
        return any(each.trait is None and each.name not in OF_STATE for each in self.columns)

    @property
    def needs_profile(self) -> bool:
        """Tell whether a column shows something of the profile's state."""
        return any(
            each.trait is not None or each.name == "subjects" or (each.name == "since" and self.of == "segment")
            for each in self.columns
        )

    def row(self, subject: str, profile: Profile | None, change: Mapping[str, Any] | None) -> Row:
        """Make the row of one member."""
        return tuple(self._value(each, subject, profile, change) for each in self.columns)

    def _value(self, column: Column, subject: str, profile: Profile | None, change: Mapping[str, Any] | None) -> Any:
        if column.name == "profile":
            return subject
        if column.trait is None and column.name == "subjects":
            return None if profile is None else subjects_of(profile)
        if column.trait is not None:
            value = None if profile is None else profile.trait(column.trait)
            return list(value) if isinstance(value, tuple | list) else value
        if column.name == "since":
            if self.of == "segment":
                return None if profile is None else profile.member_since(self.name)
            return None if change is None else parse_instant(change["effective_at"])
        return told_value(column, change)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and what they show."""

    wanted: Wanted
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Asked:
    """A name, and the columns for it, before a catalogue says what they are."""

    name: str
    columns: tuple[str, ...] = ()
    """None: the usual ones."""
    activation: bool = False
    """Take the name for the activation's where a segment has it too."""
    restricted: bool = False
    """Whether the reader may read restricted data."""


def wanted_of(catalogue: Catalogue, asked: Asked, others: Sequence[Catalogue]) -> Wanted:
    """Return what is asked for of a catalogue. `others` may restrict it, too.

    Raises UnknownName, Restricted, WrongRequest.
    """
    name, sight = asked.name, Sight(asked.restricted, [catalogue, *others])
    named = resolve(catalogue, name)
    if named.activation is not None and (asked.activation or named.segment is None):
        sight.expect("activation", name)
        columns = read_columns(asked.columns, "activation", catalogue, sight)
        return Wanted("activation", name, columns, named.activation.channel, hidden=False)
    if named.segment is None or asked.activation:
        raise UnknownName(name, f"{name!r} is a segment; the catalogue in force has no such activation")
    sight.expect("segment", name)
    columns = read_columns(asked.columns, "segment", catalogue, sight)
    return Wanted("segment", name, columns, None, catalogue.is_hidden(name))


async def pages_now(servers: Servers, asked: Asked) -> AsyncGenerator[Page, None]:
    """Yield the members now, a partition after the other; an empty page first.

    Members of a segment, their traits and `since` come as last written to Redis; the rest, and the profiles of an
    activation, as last published. So a member of the last second may lack its reason. Raises UnknownName, Restricted,
    WrongRequest; NoState, OtherState, TopicMissing; Unreachable.
    """
    wanted = wanted_of(await servers.catalogue(), asked, [])
    yield Page(wanted, ())
    for partition in range(servers.deployment.partitions):
        changes: dict[str, Mapping[str, Any]] = {}
        if wanted.needs_change or wanted.of == "activation":
            changes = await standing_changes(servers, _snapshot(servers, wanted), partition, wanted.name)
        async with servers.stored(partition) as store, aclosing(_subjects(store, wanted, changes)) as pages:
            async for page in pages:
                profiles = await _profiles(store, partition, page) if wanted.needs_profile else {}
                found = [wanted.row(subject, profiles.get(subject), changes.get(subject)) for subject in page]
                yield Page(wanted, found)


def _snapshot(servers: Servers, wanted: Wanted) -> str:
    if wanted.channel is not None:
        return channel_topics(servers.deployment, wanted.channel)[1]
    return restricted_topics(servers.deployment)[1] if wanted.hidden else servers.deployment.current_topic


async def _subjects(
    store: RedisStore, wanted: Wanted, changes: Mapping[str, Mapping[str, Any]]
) -> AsyncGenerator[Sequence[str], None]:
    """Yield the subjects of one partition in pages, each subject once."""
    if wanted.of == "activation":
        active = sorted(changes)
        for start in range(0, len(active), READ_AT_ONCE):
            yield active[start : start + READ_AT_ONCE]
        return
    async with aclosing(scan(store, wanted.name, READ_AT_ONCE)) as pages:
        async for page in pages:
            yield page


def subjects_of(profile: Profile) -> list[str]:
    """Return the subjects whose facts a profile has: itself first."""
    if profile.person is None:
        return [profile.subject]
    return sorted(profile.person.origins(), key=lambda each: (each != profile.subject, each))


async def _profiles(store: RedisStore, partition: int, subjects: Sequence[str]) -> dict[str, Profile]:
    _, blobs = await read_together(store, partition, subjects)
    try:
        return {
            subject: _unpacked(subject, blob) for subject, blob in zip(subjects, blobs, strict=True) if blob is not None
        }
    except ValueError:
        raise OtherState from None


def _unpacked(subject: str, blob: bytes) -> Profile:
    """Read a stored profile: its traits and its stays, not what its conditions remember."""
    profile = unpack(subject, blob)
    if profile.person is not None:
        rejoin(profile, {}, profile.evaluated_ms)
    return profile

"""What Segue holds of people, where, and by when it is gone from every disk. No payload and no value is told.

The bound of a record is its own instant, and how long its topic keeps it by the brokers' settings now
(streams/wire/staying.py). What was not read in time counts as if its last record had come just now. Records with other
keys may name a person, too, up to the erasure: each topic counts as if it had one of that instant.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.engine.profile import Profile
from rules.ground.instants import MS_PER_DAY, format_instant
from streams.clock import SystemClock
from streams.operations.errors import OtherState
from streams.operations.on_disk import Held, OnDisk, Unread, on_disk
from streams.operations.persons import PersonFound, find_people, named_in_redis
from streams.operations.provision import channels_in_force
from streams.operations.servers import Servers
from streams.wire.staying import NAMELESS
from streams.wire.topics import Topic, activation_topics, delivery_topic, topics

Standing: TypeAlias = Literal["erased", "held", "unknown"]
READ_S: Final = 60


@dataclass(frozen=True, slots=True)
class Place:
    """The records of one subject in one topic."""

    topic: str
    records: int
    oldest_ms: int
    newest_ms: int
    standing: int
    """Memberships or activations that have not ended, in a compacted topic: these stay until they end."""
    gone_ms: int | None
    """By when all of them are gone from disk; None: never by the settings, not known, or something stands."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "topic": self.topic,
            "records": self.records,
            "oldest": format_instant(self.oldest_ms),
            "newest": format_instant(self.newest_ms),
            "standing": self.standing,
            "gone_by": _written(self.gone_ms),
        }


@dataclass(frozen=True, slots=True)
class SubjectHeld:
    """What is held of one subject."""

    subject: str
    stands: Standing
    stands_for: str | None
    erased_ms: int | None
    """The time of the erasure that stands."""
    redis_bytes: int | None
    """None: Redis has no such profile."""
    named_in_redis: bool
    """Whether the profile in Redis stands under its name; what stays of an erased one may stand under a hash."""
    places: tuple[Place, ...]
    backups_gone_ms: int | None
    """By when the last backup with facts is gone; None: the profile is not erased, or was never in Redis."""
    written_ms: int | None
    """Until when records with other keys may have named the subject: its erasure; None: it is not erased."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "subject": self.subject,
            "stands": self.stands,
            "stands_for": self.stands_for,
            "erased": _written(self.erased_ms),
            "redis_bytes": self.redis_bytes,
            "named_in_redis": self.named_in_redis,
            "topics": [each.as_json() for each in self.places],
            "backups_gone_by": _written(self.backups_gone_ms),
        }


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is held of the people that were asked about."""

    asked: tuple[str, ...]
    subjects: tuple[SubjectHeld, ...]
    looked_at: tuple[str, ...]
    """The topics that were read."""
    unread: tuple[Unread, ...]
    backup_days: int
    gone_ms: int | None
    """By when nothing is left on disk; None: nobody can tell, or the person is not erased."""
    gone_after_ms: int | None
    """How long after an erasure nothing is left; None: a topic keeps records for ever, or its settings are hidden."""

    @property
    def stands(self) -> Standing:
        """Whether all are erased: no subject has facts, and at least one is erased."""
        found = {each.stands for each in self.subjects}
        return "held" if "held" in found else "erased" if "erased" in found else "unknown"

    @property
    def nothing(self) -> bool:
        """Whether nothing is held, and all was read."""
        return not self.unread and all(each.redis_bytes is None and not each.places for each in self.subjects)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "asked": list(self.asked),
            "stands": self.stands,
            "subjects": [each.as_json() for each in self.subjects],
            "topics_read": list(self.looked_at),
            "not_read": [
                {"topic": each.topic, "partition": each.partition, "from": each.offset, "to": each.end}
                for each in self.unread
            ],
            "redis_backup_days": self.backup_days,
            "gone_by": _written(self.gone_ms),
            "days_after_an_erasure": None if self.gone_after_ms is None else round(self.gone_after_ms / MS_PER_DAY, 1),
        }


async def privacy(servers: Servers, asked: Sequence[str], seconds: float = READ_S) -> Privacy:
    """Tell what is held of people; the topics are read once for all, for so many seconds at most.

    Each may be named by any of its subjects, and by several: an erasure drops the links between them.
    Raises NoState, OtherState, WrongInput (too many subjects); Unreachable.
    """
    people = await find_people(servers, asked)
    table = await _topics(servers, people)
    disk = await on_disk(servers, [subject for person in people for subject in person.profiles], table, seconds)
    backup_days = servers.deployment.redis_backup_days
    named = await named_in_redis(servers, [subject for person in people for subject in person.profiles])
    subjects = [_held(person, each, disk, backup_days, named) for person in people for each in person.profiles]
    after = [each.key_ms for each in disk.stays.values()]
    known = [each for each in after if each is not None]
    found = Privacy(
        asked=tuple(asked),
        subjects=tuple(subjects),
        looked_at=tuple(disk.stays),
        unread=disk.unread,
        backup_days=backup_days,
        gone_ms=None,
        gone_after_ms=max([*known, backup_days * MS_PER_DAY]) if len(known) == len(after) else None,
    )
    return _dated(found, disk)


async def _topics(servers: Servers, people: Sequence[PersonFound]) -> list[Topic]:
    """List the topics that may hold the people, also of channels that told of them and are not in force any more."""
    deployment = servers.deployment
    async with servers.cluster() as cluster:
        channels = set(await channels_in_force(cluster, servers.log, deployment))
    channels |= {channel for person in people for _, channel in person.channels_told()}
    named = sorted(channels)
    table = (*topics(deployment), *activation_topics(deployment, named))
    letters = (delivery_topic(deployment, each) for each in named)
    return [each for each in (*table, *letters) if each.role not in NAMELESS]


def _held(person: PersonFound, subject: str, disk: OnDisk, backup_days: int, named: Set[str]) -> SubjectHeld:
    profile = person.profiles[subject]
    places = tuple(_place(each, disk) for each in disk.held.get(subject, ()))
    stands, erased_ms = _standing(profile), _erased_ms(profile)
    carried_ms = [t_ms for each in disk.held.get(subject, ()) for t_ms in (each.erasure_ms, each.change_ms) if t_ms]
    written_ms = backups_ms = None
    if stands == "erased" and erased_ms is not None:
        # the event may have come later than its time says, and a worker may have carried it out later still: until
        # then a backup holds the facts, and other records may name the subject
        written_ms = max(erased_ms, *carried_ms, 0)
        backups_ms = written_ms + backup_days * MS_PER_DAY
    return SubjectHeld(
        subject=subject,
        stands=stands,
        stands_for=person.stands_for(subject),
        erased_ms=erased_ms,
        redis_bytes=person.sizes_bytes.get(subject),
        named_in_redis=subject in named,
        places=places,
        backups_gone_ms=backups_ms,
        written_ms=written_ms,
    )


def _place(held: Held, disk: OnDisk) -> Place:
    if held.oldest_ms is None or held.newest_ms is None:
        raise OtherState
    stays_ms, standing = disk.stays[held.topic.name].key_ms, len(held.standing or ())
    gone_ms = None if stays_ms is None or standing else held.newest_ms + stays_ms
    return Place(held.topic.name, held.count, held.oldest_ms, held.newest_ms, standing, gone_ms)


def _standing(profile: Profile | None) -> Standing:
    if profile is None:
        return "unknown"
    person = profile.person
    return "erased" if person is not None and person.erased is not None and not person.parts else "held"


def _erased_ms(profile: Profile | None) -> int | None:
    person = None if profile is None else profile.person
    return None if person is None or person.erased is None else person.erased.time_ms


def _dated(found: Privacy, disk: OnDisk) -> Privacy:
    """Compute by when nothing is left; None stays where the person is not erased, or a bound is not known."""
    if found.stands == "held":
        return found
    all_bounds = list(bounds(found.subjects, disk, SystemClock().wall_ms()))
    known = [each for each in all_bounds if each is not None]
    if len(known) < len(all_bounds) or not known:
        return found
    return Privacy(
        found.asked, found.subjects, found.looked_at, found.unread, found.backup_days, max(known), found.gone_after_ms
    )


def bounds(subjects: Sequence[SubjectHeld], disk: OnDisk, now_ms: int) -> Iterator[int | None]:
    """Yield by when each thing that may name one of the subjects is gone; None: nobody can tell."""
    for subject in subjects:
        yield from (each.gone_ms for each in subject.places)
        if subject.backups_gone_ms is not None:
            yield subject.backups_gone_ms
        if subject.written_ms is not None:
            # a refused event with another key, what a link brought to another subject: up to the erasure, in any topic
            yield from (
                None if each.key_ms is None else subject.written_ms + each.key_ms for each in disk.stays.values()
            )
    for topic in sorted({each.topic for each in disk.unread}):
        stays_ms = disk.stays[topic].key_ms
        yield None if stays_ms is None else now_ms + stays_ms


def _written(t_ms: int | None) -> str | None:
    return None if t_ms is None else format_instant(t_ms)

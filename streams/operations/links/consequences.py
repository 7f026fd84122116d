"""What a link, or its taking back, would change: the engine applies the event to copies of the profiles.

The event goes to the engine of its subject; its effects go to the engines of their targets, as they would by the input
topic. Nothing is written. Records that are under way are not known here: the answer is that of this instant.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.outcome import Applied
from rules.engine.partition import Partition
from rules.engine.record import Record
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.operations.errors import NoCutYet, UnknownSubject, WrongInput
from streams.operations.links.graph import SUBJECTS_MAX, Links
from streams.operations.links.journeys import Journey, fate_of
from streams.operations.links.reading import read_person
from streams.operations.matching.link_events import SOURCE as MATCH
from streams.operations.matching.link_events import LinkEvent
from streams.operations.profile_state import engine_of, read_profile
from streams.operations.send import CLOUDEVENT
from streams.operations.servers import Servers
from streams.operations.sight import Sight

SOURCE: Final = "/segue/links"
EFFECTS_MAX: Final = 1_000
"""Effects that are followed: more come of a person of very many subjects only."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What an event would change, in the order in which it would be published."""

    event: LinkEvent
    changes: tuple[AnyChange, ...]
    journeys: tuple[Journey, ...]
    """What becomes of the activations that are active for the subject now, and which of the end's would end."""
    warnings: tuple[str, ...]
    note: str
    """How many restricted definitions were left out, as a sentence; "": none."""
    by_match: bool = False
    """Whether `segue match` made the link that the subject has now: its table still says so."""
    stands_for: str | None = None
    """For whom the subject stands now; None: for itself."""
    end: str | None = None
    """Where the links of the canonical subject end: who the person is; None: a link is taken back."""


async def consequences(servers: Servers, event: LinkEvent, *, restricted: bool = False) -> Consequences:
    """Compute what a link event would change now. Raises WrongInput for one that says nothing new or makes a ring."""
    links = await read_person(servers, event.subject)
    if event.canonical is not None:
        others = await read_person(servers, event.canonical)
        links = Links({**others.by_subject, **links.by_subject}.values())
    if event.canonical is None and not links.by_subject[event.subject].known:
        raise UnknownSubject("SUBJECT")
    warnings = _expect_sense(links, event)
    now_ms = SystemClock().wall_ms()
    engines = _Engines(servers)
    engine = await engines.of(event.subject)
    if engine.catalogue is None:
        raise NoCutYet
    for name, subject in (("SUBJECT", event.subject), ("CANONICAL", event.canonical)):
        if subject is not None and subject not in (await engines.of(subject)).profiles:
            warnings.append(f"{name} is not known: no event of it has come; is it written right?")
    active = _active(engine, event.subject)
    end = None if event.canonical is None else links.end(event.canonical)
    ends = set() if end is None else _active(await engines.of(end), end)
    changes = await engines.apply(event.subject, event.line(now_ms, SOURCE), now_ms)
    then = set() if end is None else _active(await engines.of(end), end)
    sight = Sight(restricted, [engine.plan.catalogue])
    stories = []
    if event.canonical:
        plans, pair = engine.plan.activations.by_id, (event.subject, end)
        stories = [fate_of(plans, pair, event.subject, each, then) for each in sorted(active)]
        stories += [fate_of(plans, pair, end or "", each, then) for each in sorted(ends - then)]
    seen = set(sight.shown("activation", [*(each.activation for each in stories), *_named(changes, "activation")]))
    segments = set(sight.shown("segment", _named(changes, "segment")))
    return Consequences(
        event,
        tuple(each for each in changes if _name(each)[1] in (seen if _name(each)[0] == "activation" else segments)),
        tuple(each for each in stories if each.activation in seen),
        tuple(warnings),
        sight.note,
        links.by_subject[event.subject].event.startswith(f"{MATCH} "),
        links.canonical(event.subject),
        end,
    )


def _expect_sense(links: Links, event: LinkEvent) -> list[str]:
    """See that an event makes sense; return what is odd about it. No text names a subject."""
    stands_for, canonical = links.canonical(event.subject), event.canonical
    if canonical is None:
        if stands_for is None:
            raise WrongInput("SUBJECT stands for itself: there is no link to take back")
        return []
    if canonical == event.subject:
        raise WrongInput("SUBJECT and CANONICAL are the same: a subject cannot stand for itself by a link")
    if stands_for == canonical:
        raise WrongInput("SUBJECT stands for CANONICAL already: the link would change nothing")
    if event.subject in links.way(canonical):
        raise WrongInput(
            "CANONICAL stands for SUBJECT already, at once or over others: the link would form a ring, and all of it"
            " would be in nothing; take that link back first, or link the other way round"
        )
    found = []
    if stands_for is not None:
        found.append("SUBJECT stands for another subject now: that link ends")
    if any((linked := links.by_subject.get(each)) and linked.erased_ms is not None for each in links.way(canonical)):
        found.append("CANONICAL was erased: what is told of SUBJECT, a living person, would be in nothing")
    size = len({*links.subjects_of(event.subject), *links.subjects_of(links.end(canonical) or canonical)})
    if size > SUBJECTS_MAX:
        found.append(f"the person would have {size} subjects: more than {SUBJECTS_MAX} are a mistake in most cases")
    return found


class _Engines:
    """One engine a subject, each with that profile alone, made when first asked for."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._made: dict[str, Partition] = {}

    async def of(self, subject: str) -> Partition:
        """Return the engine of a subject."""
        if subject not in self._made:
            partition = partition_of(subject.encode(), self._servers.deployment.partitions)
            state = await read_profile(self._servers, subject, partition)
            self._made[subject] = await engine_of(self._servers, state)
        return self._made[subject]

    async def apply(self, subject: str, value: bytes, now_ms: int) -> list[AnyChange]:
        """Apply a record and all effects that follow; return the changes that name it, in order."""
        left = deque([(subject, value)])
        changes: list[AnyChange] = []
        for _ in range(EFFECTS_MAX):
            if not left:
                break
            target, record = left.popleft()
            engine = await self.of(target)
            applied = engine.feed(Record(engine.offset, now_ms, target.encode(), record, CLOUDEVENT))
            if not isinstance(applied, Applied):
                raise WrongInput("a catalogue is being applied: ask again in a minute")
            changes += [each for each in applied.changes if _follows(each)]
            left += [(effect.subject, effect.value) for effect in applied.effects]
        return changes


def _follows(change: AnyChange) -> bool:
    """Tell whether a change follows from the event, and is not a wake that was due before it."""
    return any(event.startswith(f"{SOURCE} ") for event in orjson.loads(change.value)["reason"]["events"])


def _active(engine: Partition, subject: str) -> set[str]:
    profile = engine.profiles.get(subject)
    standings = {} if profile is None else profile.activations
    return {name for name, standing in standings.items() if standing.active}


def _name(change: AnyChange) -> tuple[str, str]:
    if isinstance(change, ActivationChange):
        return "activation", change.activation
    return "segment", change.segment


def _named(changes: Sequence[Any], kind: str) -> list[str]:
    return [name for found, name in map(_name, changes) if found == kind]

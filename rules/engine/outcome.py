"""What the engine answers when a record is fed to it: that the record is applied, or what is lacking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from rules.engine.change import AnyChange
from rules.engine.persons.effects import Effect
from rules.engine.record import Decoded
from rules.engine.refusal import Refusal


class Withdrawal(NamedTuple):
    """A standing membership whose segment has other topics from a cut on: tombstone its record in the old topic.

    It is no change: nobody moved. It comes at the visit of the cut, before the changes of that visit.
    """

    subject: str
    segment: str
    was_restricted: bool
    """Whether the old topic is the restricted one."""


Item: TypeAlias = AnyChange | Withdrawal
"""One thing to put out."""


def changes_of(items: Sequence[Item]) -> list[AnyChange]:
    """Return the changes among some items, in order."""
    return [item for item in items if not isinstance(item, Withdrawal)]


Mark: TypeAlias = Literal[
    "came_round",
    "ring",
    "many_subjects",
    "link_to_erased",
    "erased_fact",
    "journey_ended",
    "arm_switched",
    "unreadable",
]
"""What is worth a person's look in a record about links. `came_round`: an effect was dropped, because the alias that
would pass it on has passed it on already. `ring`: a contribution came round to the subject that it began at.
`many_subjects`: a person came to have more than 50 subjects. `link_to_erased`: a link leads to an erased subject: that
erases the link's subject, too, or leaves it in nothing until the link is taken back. `erased_fact`: an erased
subject did not take a fact that an alias passed on, or an organisation told. `journey_ended`, `arm_switched`: by a link
a person is out of a journey that one of its subjects was in, or goes on in another arm. `unreadable`: an effect does
not say what it must.
"""

AppliedKind: TypeAlias = Literal["event", "redelivery", "refused", "own", "cut", "filled"]
"""What a record was. `cut`, `filled`: it also put every profile into the queue for a visit."""


class Applied(NamedTuple):
    """A record is applied."""

    kind: AppliedKind
    decoded: Decoded
    items: Sequence[Item]
    """All that the record brings, in the order in which it is put out: the wakes that it passes, then its own."""
    effects: Sequence[Effect] = ()
    """What the record brings to other profiles, in order, sealed: they follow its items."""
    marks: Sequence[Mark] = ()
    """For metrics."""

    @property
    def changes(self) -> list[AnyChange]:
        """The changes among `items`."""
        return changes_of(self.items)

    @property
    def refusal(self) -> Refusal | None:
        """Why the record was refused, if it was."""
        return self.decoded if isinstance(self.decoded, Refusal) else None


class Passed(NamedTuple):
    """The wakes due before an instant have fired; no record was applied."""

    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class NeedWakes:
    """Give the next page of wakes and visits (`give_wakes`), on the way to all those due before an instant."""

    before_ms: int


@dataclass(frozen=True, slots=True)
class NeedCatalogue:
    """Give the catalogue of a hash (`give_catalogue`): the record puts it into force."""

    catalogue: str


@dataclass(frozen=True, slots=True)
class NeedProfiles:
    """Give these profiles (`give_profile`), also those that the store does not have."""

    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeedTurn:
    """Give others their turn: the record passes many wakes or visits, and some of them have fired."""


Need: TypeAlias = NeedWakes | NeedCatalogue | NeedProfiles | NeedTurn
"""What is lacking. Give it, then make the same call again: the engine goes on where it stopped."""


Done = TypeVar("Done", Applied, Passed)


def whole(outcome: Done | Need) -> Done:
    """Return the outcome of an engine that can lack nothing: everything is in memory."""
    if isinstance(outcome, NeedWakes | NeedCatalogue | NeedProfiles | NeedTurn):
        raise AssertionError(f"everything is in memory, and yet the engine says {outcome}")  # noqa: TRY004 - our bug
    return outcome

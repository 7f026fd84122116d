"""What links did to running journeys: each goes on under the other name, with the same arm or another, or it ends."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rules.engine.activations.plan import ActivationPlan
from streams.operations.links.graph import Links
from streams.operations.servers import Servers
from streams.operations.sight import Sight

Plans: TypeAlias = Mapping[str, ActivationPlan]
Fate: TypeAlias = Literal["goes on", "goes on in another arm", "ends"]


@dataclass(frozen=True, slots=True)
class Journey:
    """What became of an activation by a link, or what would become of it."""

    subject: str
    """The subject that came to stand for another."""
    end: str | None
    """Who stands for it; None: its links lead in a ring."""
    of: str
    """The one of the two for whom the activation was active."""
    activation: str
    fate: Fate
    arm: str | None = None
    """The arm before."""
    arm_now: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "subject": self.subject,
            "canonical": self.end,
            "of": self.of,
            "activation": self.activation,
            "fate": self.fate.replace(" ", "_"),
            "arm": self.arm,
            "arm_now": self.arm_now,
        }


def fate_of(plans: Plans, pair: tuple[str, str | None], of: str, activation: str, active: Iterable[str]) -> Journey:
    """Say what becomes of an activation of `of` by a link. `pair`: the link's subject, and the end of its links.

    `active`: those that are active for the end then.
    """
    subject, end = pair
    found = plans.get(activation)
    arm = None if found is None else found.told.arm(of)
    if end is None or activation not in active:
        return Journey(subject, end, of, activation, "ends", arm)
    now = None if found is None else found.told.arm(end)
    return Journey(subject, end, of, activation, "goes on" if arm == now else "goes on in another arm", arm, now)


async def journeys_now(servers: Servers, links: Links, *, restricted: bool) -> tuple[list[Journey], str]:
    """Return the journeys that links ended or switched, and how many are not shown, by the catalogue in force."""
    found = [*journeys(links)]
    sight = Sight.of(await servers.catalogue(), restricted)
    seen = set(sight.shown("activation", (each.activation for each in found)))
    return [each for each in found if each.activation in seen], sight.note


def journeys(links: Links) -> Iterator[Journey]:
    """Walk the journeys that links ended or switched to another arm, by subject and activation, while the links stand.

    One that is active again for the end is left out.
    """
    for subject in sorted(links.by_subject):
        end = links.by_subject[subject]
        for each in sorted(end.moved):
            alias = links.by_subject.get(each.subject)
            if alias is None or alias.event != each.event or links.end(each.subject) != subject:
                continue
            if each.ended and each.activation not in end.active:
                yield Journey(each.subject, subject, each.of, each.activation, "ends", each.arm)
            elif not each.ended:
                fate: Fate = "goes on in another arm"
                yield Journey(each.subject, subject, each.of, each.activation, fate, each.arm, each.arm_now)

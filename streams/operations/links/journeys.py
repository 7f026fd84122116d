"""What a link does to running journeys: each goes on under the other name, with the same arm or another, or it ends."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rules.engine.activations.plan import ActivationPlan, compile_activations
from streams.operations.links.graph import Links
from streams.operations.servers import Servers
from streams.operations.sight import Sight

Plans: TypeAlias = Mapping[str, ActivationPlan]
Fate: TypeAlias = Literal["goes on", "goes on in another arm", "ends"]


@dataclass(frozen=True, slots=True)
class Journey:
    """What becomes of an activation that was active for a subject which came to stand for another."""

    subject: str
    end: str | None
    """Who stands for it; None: its links lead in a ring."""
    activation: str
    fate: Fate
    arm: str | None = None
    """The arm that the subject had."""
    arm_now: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "subject": self.subject,
            "canonical": self.end,
            "activation": self.activation,
            "fate": self.fate.replace(" ", "_"),
            "arm": self.arm,
            "arm_now": self.arm_now,
        }


def fate_of(plans: Plans, subject: str, end: str | None, activation: str, active: Iterable[str]) -> Journey:
    """Say what becomes of an activation of `subject`. `active`: those that are active for `end`."""
    found = plans.get(activation)
    arm = None if found is None else found.told.arm(subject)
    if end is None or activation not in active:
        return Journey(subject, end, activation, "ends", arm)
    now = None if found is None else found.told.arm(end)
    return Journey(subject, end, activation, "goes on" if arm == now else "goes on in another arm", arm, now)


async def journeys_now(servers: Servers, links: Links, *, restricted: bool) -> tuple[list[Journey], str]:
    """Return the journeys that links ended or switched, by the catalogue in force, and how many are not shown."""
    catalogue = await servers.catalogue()
    found = [*journeys(links, compile_activations(catalogue, len(catalogue.approved)).by_id)]
    sight = Sight.of(catalogue, restricted)
    seen = set(sight.shown("activation", (each.activation for each in found)))
    return [each for each in found if each.activation in seen], sight.note


def journeys(links: Links, plans: Plans) -> Iterator[Journey]:
    """Walk the journeys that links ended or switched to another arm, as it stands now, by subject.

    One that goes on unchanged is left out. One that ended at the end's name since then, for whatever reason, is told as
    ended: the state does not say which came first.
    """
    for subject in sorted(links.by_subject):
        linked = links.by_subject[subject]
        if linked.canonical is None:
            continue
        end = links.end(subject)
        stands = None if end is None else links.by_subject.get(end)
        active = () if stands is None else stands.active
        for activation in linked.ended:
            found = fate_of(plans, subject, end, activation, active)
            if found.fate != "goes on":
                yield found

"""Organisations that tell those who are tied to them, in several partitions, under everything that storms bring.

Ties, tellings, links of people and of organisations, and erasures go on while workers are killed, partitions move,
replies are lost and Redis goes back. A page holds few subjects, so most tellings take several records. What is checked
is what `tests.simulation.persons` checks. So that the naive evaluator, which knows nothing of partitions, can say who
is told what, each phase brings one kind of thing, and the next one begins when nothing is in flight any more.
"""

import json
from collections import Counter
from functools import partial
from typing import Final
from unittest.mock import patch

from rules.engine import related
from rules.engine.affiliations import pages
from rules.engine.persons.effects import EFFECT_BYTES_MAX, seal
from rules.ground.partitioning import partition_of
from tests.rules.catalogues import load
from tests.simulation.persons import SMALL, PersonsRun, check
from tests.simulation.steps import StepRun
from tests.simulation.storms import PARTITIONS
from tests.streams.world import EVENTS

PAGE: Final = 2
"""Subjects of a page."""
PEOPLE: Final = ("hcp:1", "hcp:2", "hcp:3", "crm:4", "crm:5", "crm:6", "hcp:7")
PAYERS: Final = ("payer:1", "payer:2", "payer:3")
assert {partition_of(each.encode(), PARTITIONS) for each in PAYERS} == set(range(PARTITIONS))
TIE: Final = {"organisation": "payer:1", "role": "prescriber"}
ROLES: Final = ("prescriber", "owner", "visitor")
"""The last of them is told nothing."""
DICTIONARY: Final = """\
events:
  a: {}
  changed:
    data: {status: {type: string}}
    reaches: {roles: [prescriber, owner], as: told}
  told:
    data: {organisation: {type: string}, status: {type: string}}
  moved:
    reaches: {roles: [owner], as: told.moved}
  told.moved:
    data: {organisation: {type: string}}
"""
BY_FACTS: Final = {
    "covered": "enter: {last: told, is: {status: {equals: covered}}}",
    "often": "enter: {event: told, count: {at_least: 3}}",
    "moved": "enter: {event: told.moved}",
    "tied": "enter: {event: affiliation.started}",
    "paying": "enter: {last: changed, is: {status: {equals: covered}}}",
}
WELCOME: Final = """\
activation: welcome
version: 1
status: approved
channel: email
audience: hcp
segments: {all: [covered]}
content: {intent: access, review: {status: approved}}
"""
FILES: Final = {"dictionary.yaml": DICTIONARY, "activations/welcome.yaml": WELCOME} | {
    f"segments/{name}.yaml": f"segment: {name}\nversion: 1\nstatus: approved\n{rules}\n"
    for name, rules in BY_FACTS.items()
}


class TyingRun(PersonsRun):
    """One run, by its seed."""

    catalogues = (FILES,)
    loaded = (load(FILES),)
    by_facts = frozenset(BY_FACTS)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._ties: list[tuple[str, dict[str, str]]] = []

    def tie(self) -> None:
        """Tie people to organisations, and untie some; a few ties come late, or twice."""
        for _ in range(self.rng.randrange(1, 14)):
            self.world.advance(self.rng.choice([0, 1, 50]))
            if self._ties and self.rng.random() < 0.2:
                kind, (person, data) = "affiliation.ended", self.rng.choice(self._ties)
            else:
                kind, person = "affiliation.started", self.rng.choice(PEOPLE)
                data = {"organisation": self.rng.choice(PAYERS), "role": self.rng.choice(ROLES)}
                self._ties.append((person, data))
            self.tell(person, kind, data, self.rng.choice([0, 0, 0, 3_000]))
            self.came[kind] += 1

    def tell_all(self) -> None:
        """Tell organisations something; other subjects go on meanwhile."""
        for _ in range(self.rng.randrange(1, 5)):
            self.world.advance(self.rng.choice([0, 1, 50, 2_000]))
            payer = self.rng.choice(PAYERS)
            if self.rng.random() < 0.3:
                self.tell(payer, "moved")
            else:
                status = {"status": self.rng.choice(["covered", "excluded"])}
                self.tell(payer, "changed", status, self.rng.choice([0, 0, 4_000]))
            self.tell(self.rng.choice(PEOPLE), "a")
            if self.rng.random() < 0.1:
                self.again()

    def link_people(self) -> None:
        """Link people, and take links back."""
        for _ in range(self.rng.randrange(1, 4)):
            self.world.advance(self.rng.choice([0, 1, 2_000]))
            self.link_among(PEOPLE)

    def link_payers(self) -> None:
        """Link an organisation to another, or take a link back: one at a time."""
        self.world.advance(1)
        self.link_among(PAYERS)
        self.came["organisation linked"] += 1

    def count_effects(self) -> None:
        """Count the effects of affiliations in the input, and tellings."""
        for partition in range(PARTITIONS):
            for found in self.world.broker.fetch(EVENTS, partition, 0)[0]:
                self.came[str(json.loads(found.value or b"{}").get("type"))] += 1

    def gone(self) -> None:
        """Erase somebody who is tied, or an organisation."""
        self.world.advance(10_000)
        gone = self.rng.choice(self.rng.choice([PEOPLE, PAYERS]))
        self.tell(gone, "privacy.erased")
        self.came["organisation erased" if gone in PAYERS else "person erased"] += 1


class TyingSteps(StepRun):
    """One run in which an organisation tells three pages of people, and a further one is tied at that moment."""

    catalogues = (FILES,)
    loaded = (load(FILES),)
    by_facts = frozenset(BY_FACTS)

    def prepare(self) -> None:
        """Tie people to an organisation."""
        self.afterwards = "a"
        for subject in PEOPLE[:-1]:
            self.world.advance(10)
            self.tell(subject, "affiliation.started", TIE)

    def cause(self) -> None:
        """Tie the last one, and tell the organisation something."""
        self.tell(PEOPLE[-1], "affiliation.started", TIE)
        self.tell(TIE["organisation"], "changed", {"status": "covered"})


async def dying(at: int, *, carried_out: bool, roll_back: int | None) -> bool:
    """Let a worker die at a request between the cause and what follows from it; return whether it did."""
    with patch.object(pages, "PAGE_MAX", PAGE):
        return await TyingSteps(7, at, carried_out=carried_out).to_the_end(roll_back)


async def affiliations(seed: int) -> Counter[str]:
    """Run one seed to its end; return how often each kind of event came.

    Raises AssertionError when a law does not hold, or nothing moves any more.
    """
    bytes_max = SMALL if seed % 2 else EFFECT_BYTES_MAX
    with patch.object(pages, "PAGE_MAX", PAGE), patch.object(related, "seal", partial(seal, bytes_max=bytes_max)):
        run = TyingRun(seed)
        await run.begin()
        erasing = [run.gone] if seed % 3 == 2 else []
        phases = (
            run.tie,
            run.tie,
            run.tell_all,
            run.tell_all,
            run.link_people,
            run.link_payers,
            run.link_payers,
            *erasing,
        )
        events = (run.kill, run.rebalance, run.zombie, run.roll_back, run.nothing)
        for _ in range(14):
            run.weather()
            run.rng.choice(phases)()
            for _ in range(run.rng.randrange(3)):
                # a little time only, so that the fault comes between two pages, or before the organisation is told
                await run.world.pass_time(run.rng.choice([0, 1, 5, 30, 300]))
                event = run.rng.choice(events)
                run.came[event.__name__] += 1
                await event()
            await run.calm()
        run.weather(fair=True)
        run.tell_all()
        await run.calm()
        check(run)
        run.count_effects()
        await run.end_in_order()
        return run.came

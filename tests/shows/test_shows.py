"""The claims about activation at a small size, on real servers; and each check sees its claim broken."""

import asyncio
import json

import pytest

from tests.faults.checker import Violated
from tests.faults.stage import servers
from tests.shows import journeys, withdrawals


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_is_active_in_two_journeys_of_a_group_nor_after_a_withdrawal() -> None:
    with servers() as running:
        chain = asyncio.run(journeys.show(running, 1, profiles=60, events=1_200, per_second=150))
        assert chain.hand_overs > 30
        race = asyncio.run(withdrawals.show(running, 1, pairs=200, per_second=100))
        assert min(race.entry_first, race.withdrawal_first) > 20


def change(what: str, journey: str, at: int, profile: str = "hcp:1") -> dict[str, str]:
    names = {one.journey: one.id for one in journeys.CHAIN.activations}
    return {
        "id": f"{profile}/{at}",
        "profile": profile,
        "change": what,
        "journey": journey,
        "activation": names[journey],
        "effective_at": f"2026-03-01T00:00:{at:02d}.000Z",
    }


ONE, TWO = "journey-a-known", "journey-d-gold"
FINE = [
    change("activated", ONE, 1),
    change("deactivated", ONE, 2),
    change("activated", TWO, 2),
    change("activated", ONE, 2, "hcp:2"),
    change("deactivated", TWO, 3),
    change("activated", ONE, 3),
]


def test_journeys_that_follow_each_other_at_one_instant_are_fine() -> None:
    journeys.check_by_offset("here", FINE)
    journeys.check_by_instants(FINE)


def test_two_journeys_at_one_offset_are_seen() -> None:
    with pytest.raises(Violated, match=r"^J0"):
        journeys.check_by_offset("here", [FINE[0], FINE[2], FINE[1]])


@pytest.mark.parametrize(
    "changes",
    [
        [change("activated", ONE, 1), change("activated", TWO, 2), change("deactivated", ONE, 3)],
        [change("activated", ONE, 1), change("deactivated", ONE, 3), change("activated", TWO, 2)],
        [change("activated", ONE, 1), change("activated", TWO, 1)],
        [change("activated", TWO, 1), change("deactivated", TWO, 9), change("activated", ONE, 2)],
    ],
    ids=["begun before the end", "in another channel", "both for good", "within"],
)
def test_stays_that_overlap_are_seen(changes: list[dict[str, str]]) -> None:
    with pytest.raises(Violated, match=r"^J0"):
        journeys.check_by_instants(changes)


def test_a_race_event_says_what_it_is() -> None:
    entry = json.loads(withdrawals.event("entry", 7))
    assert (entry["id"], entry["subject"], entry["type"]) == ("entry-7", "hcp:7", "portal.login")

"""Organisations that tell those who are tied to them, under every fault; and what would be lost is noticed."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from rules.engine.affiliations import remote
from rules.engine.affiliations.remote import RemoteTelling
from rules.engine.persons.effects import REACHED_TYPE, REACHING_TYPE, TIED_TYPE
from tests.simulation.affiliations import affiliations, dying
from tests.simulation.loop import run
from tests.simulation.seeds import fails_at_some_seed, quiet

SEEDS: Final = 12
STEPS_MIN, STEPS_MAX = 20, 300
"""Requests from the cause to what it brings: fewer, and little was tried; more, and something goes round."""
TRIED_MAX: Final = 100
"""Seeds to try before a mutation counts as unnoticed."""
CAME: Final = {
    *("affiliation.started", "affiliation.ended", "organisation linked", "organisation erased", "person erased"),
    *("kill", "roll_back", "rebalance", "zombie", "link", "unlink", "effect", "merged +"),
    *(TIED_TYPE, REACHING_TYPE, REACHED_TYPE),
}


def ran(seed: int) -> Counter[str]:
    random.seed(seed)
    return run(affiliations(seed))


def test_whatever_happens_each_who_is_tied_is_told_once() -> None:
    came: Counter[str] = Counter()
    with quiet():
        for seed in range(SEEDS):
            came += ran(seed)
    assert came.keys() >= CAME, f"{SEEDS} seeds never brought {CAME - came.keys()}"
    assert came[REACHING_TYPE] > came["changed"] + came["moved"], "no telling took several records"


@pytest.mark.parametrize("roll_back", [None, 0, 1])
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_worker_may_die_at_each_step_from_a_tie_and_a_telling_to_the_last_page(
    carried_out: bool, roll_back: int | None
) -> None:
    with quiet():
        for at in range(1, STEPS_MAX, 1 if roll_back is None and not carried_out else 3):
            if not run(dying(at, carried_out=carried_out, roll_back=roll_back)):
                break
        else:
            pytest.fail("the worker was never through")
    assert at > STEPS_MIN


def _first_page_only(patch: pytest.MonkeyPatch) -> None:
    """A telling ends with its first page."""
    send = RemoteTelling._send  # noqa: SLF001

    def first(self: RemoteTelling, subject: str, *others: Any) -> None:
        if others[3] == "":
            send(self, subject, *others)

    patch.setattr(RemoteTelling, "_send", first)


def _unanswered(patch: pytest.MonkeyPatch) -> None:
    """Somebody who is tied is not told the latest."""
    patch.setattr(RemoteTelling, "_answer", lambda *_: None)


def _unasked(patch: pytest.MonkeyPatch) -> None:
    """An organisation that stands for another does not pass the question on."""
    patch.setitem(remote._APPLY, "segue.asked", lambda *_: None)  # noqa: SLF001


def _links_tell_nothing(patch: pytest.MonkeyPatch) -> None:
    """A link between organisations tells nobody."""
    patch.setattr(RemoteTelling, "moved", lambda *_: None)


def _never_untied(patch: pytest.MonkeyPatch) -> None:
    """A tie that ends goes on."""
    tied = RemoteTelling._tied  # noqa: SLF001

    def kept(self: RemoteTelling, subject: str, way: Any, data: Any, at: Any) -> None:
        if data["tied"]:
            tied(self, subject, way, data, at)

    patch.setitem(remote._APPLY, "segue.tied", kept)  # noqa: SLF001


@pytest.mark.parametrize("mutation", [_first_page_only, _unanswered, _unasked, _links_tell_nothing, _never_untied])
def test_what_is_broken_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    if not fails_at_some_seed(ran, TRIED_MAX):
        pytest.fail(f"{TRIED_MAX} seeds held with {mutation.__doc__}")

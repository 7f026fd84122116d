"""An erased subject that keeps what an alias brought later is judged as a whole by what comes next."""

import json

import pytest

from tests.properties.delivering import Delivered
from tests.rules.engine.persons.test_rings import ANEW, START_MS, link, told

END, ALIAS = "hcp:1", "crm:4"
MINUTE_MS = 60_000


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_what_comes_before_the_alias_is_erased_judges_all_of_the_end(cut: bool, restarted: bool) -> None:
    """The erasure is earlier than a fact of the alias, and comes after it. Its effect on the alias is on its way."""
    linked, erased, red, told_then, other = told(
        link(ALIAS, END),
        (END, "privacy.erased", {}),
        (ALIAS, "a", {"color": "red"}),
        (END, "b", {}),
        ("hcp:9", "b", {}),
    )
    cuts = [(START_MS + 3 * MINUTE_MS, ANEW)] if cut else []
    worker = Delivered(ANEW, cuts, {*range(99)} if restarted else set())
    for line in (linked, red):
        for effect in worker.apply(line):
            worker.apply(effect)
    waiting = worker.apply(erased)
    assert moves(worker) == [("entered", "entry_rule"), ("exited", "erased")]
    if cut:
        worker._cut(START_MS + 3 * MINUTE_MS)  # noqa: SLF001
        worker.apply(other)
    else:
        worker.apply(told_then)
    assert moves(worker)[2:] == [("entered", "entry_rule")], "what the alias brought is the end's until it is erased"
    while waiting:
        waiting += worker.apply(waiting.pop(0))
    left = [] if cut else [("exited", "entry_lost")]
    assert moves(worker)[3:] == (left or [("exited", "merged")])


def moves(worker: Delivered) -> list[tuple[str, str]]:
    """Return how the end moved, and why."""
    changes = [each for each in map(json.loads, worker.changes) if each["profile"] == END]
    return [(each["change"], each["reason"]["kind"]) for each in changes]

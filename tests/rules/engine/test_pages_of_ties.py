"""Pages of ties name those who are tied, and nobody else, whatever came and went."""

import random
from collections import defaultdict

import pytest

from rules.engine.affiliations import pages
from rules.engine.affiliations.pages import Rows, index_name, tie, turn

ORGANISATION = "org:1"
PEOPLE = [f"hcp:{n:03}" for n in range(60)]


class Kept:
    """The pages of one organisation, in a dict."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, Rows] = defaultdict(list)

    def open(self, name: str, _change: bool) -> Rows:
        return self.rows[name]

    def told(self, after: str = "") -> list[str]:
        """Walk the turns from a subject on, as a fact that is told does."""
        found: list[str] = []
        following: str | None = after
        while following is not None:
            step = turn(ORGANISATION, following, ["r"], self.open)
            found += step.subjects
            following = step.next
        return found


@pytest.mark.parametrize("seed", range(20))
def test_pages_name_who_is_tied_and_nobody_else(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_MAX", 4)
    rng, kept, tied = random.Random(seed), Kept(), set[str]()
    for _ in range(400):
        subject = rng.choice(PEOPLE)
        coming = rng.random() < (0.7 if rng.random() < 0.5 else 0.3)
        assert tie(ORGANISATION, subject, "r", tied=coming, open_=kept.open) == (coming != (subject in tied))
        (tied.add if coming else tied.discard)(subject)
        firsts = [row[0] for row in kept.rows[index_name(ORGANISATION)]]
        assert firsts == sorted({*firsts})
        assert {*firsts} <= {"", *tied}
        after = rng.choice(PEOPLE)  # a turn may go on where a page began that begins elsewhere now
        assert kept.told(after) == sorted(each for each in tied if each >= after)
        assert kept.told() == sorted(tied)

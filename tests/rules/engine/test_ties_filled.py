"""Affiliations, and what organisations were told, from before the first catalogue: its fill ties and reaches."""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import pytest

from rules.ground.instants import format_instant
from tests.properties.histories import line as written
from tests.properties.scattered_fills import Cutting
from tests.rules.engine.test_ties_kept import FILES, START_MS, line

CUT: Final = 10
"""The second of the first cut."""
TIE: Final = line(0, "affiliation.started", "hcp:1", organisation="org:1", role="r")
UNTIE: Final = line(1, "affiliation.ended", "hcp:1", organisation="org:1", role="r")
CHANGE: Final = line(2, "change", "org:1")
TOLD: Final = ["hcp:1 entered /s e2"]


def instant(second: int) -> str:
    return format_instant(START_MS + second * 1000)


def history(subject: str, events: Iterable[bytes]) -> bytes:
    data = {"cut": instant(CUT), "events": [json.loads(event) for event in events]}
    return written({"type": "segue.history", "subject": subject, "recordedtime": instant(CUT + 1), "data": data})


def filled() -> bytes:
    return written({"type": "segue.filled", "recordedtime": instant(CUT + 2), "data": {"cut": instant(CUT)}})


class Filling:
    """A worker whose first cut comes after some events."""

    def __init__(self, early: Sequence[bytes], restarting: bool) -> None:
        self._worker = Cutting([FILES], restarting=restarting, late=True)
        for each in early:
            self._worker.apply(each)
        self._worker.cut(START_MS + CUT * 1000)

    def apply(self, *lines: bytes) -> list[str]:
        """Apply lines, each with all that follows from it; return which changes it came to since the beginning."""
        for each in lines:
            waiting = deque([each])
            while waiting:
                waiting += self._worker.apply(waiting.popleft())
        changes = [json.loads(each) for each in self._worker.changes]
        return [f"{each['profile']} {each['change']} {' '.join(each['reason']['events'])}" for each in changes]


@pytest.fixture(params=[False, True], ids=["at once", "restarting"])
def restarting(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("tie_first", [True, False])
def test_who_was_tied_is_told_what_the_organisation_was_told(tie_first: bool, restarting: bool) -> None:
    worker = Filling([TIE, CHANGE], restarting)
    histories = [history("hcp:1", [TIE]), history("org:1", [CHANGE])]
    assert worker.apply(*(histories if tie_first else reversed(histories)), filled()) == TOLD
    assert worker.apply(*histories, TIE, CHANGE) == TOLD, "a fill that is begun again tells nothing again"


def test_who_was_tied_is_told_what_the_organisation_is_told_later(restarting: bool) -> None:
    worker = Filling([TIE], restarting)
    assert worker.apply(history("hcp:1", [TIE]), filled()) == []
    assert worker.apply(line(20, "change", "org:1")) == ["hcp:1 entered /s e20"]


def test_who_was_tied_and_untied_is_told_nothing(restarting: bool) -> None:
    worker = Filling([TIE, UNTIE, CHANGE], restarting)
    assert worker.apply(history("hcp:1", [TIE, UNTIE]), history("org:1", [CHANGE]), filled()) == []


def test_an_untie_that_comes_while_the_fill_is_under_way_stands(restarting: bool) -> None:
    worker = Filling([TIE, CHANGE], restarting)
    late = line(11, "affiliation.ended", "hcp:1", organisation="org:1", role="r")
    assert worker.apply(late, history("hcp:1", [TIE]), history("org:1", [CHANGE]), filled()) == []


def test_a_tie_of_an_alias_and_an_organisation_that_is_an_alias_are_made_too(restarting: bool) -> None:
    links = [
        line(3, "identity.linked", "hcp:1", canonical="hcp:0"),
        line(4, "identity.linked", "org:1", canonical="org:0"),
    ]
    worker = Filling([TIE, CHANGE, *links], restarting)
    histories = history("hcp:1", [TIE]), history("org:1", [CHANGE])
    assert worker.apply(*links, *histories, filled()) == ["hcp:0 entered /s e2"]

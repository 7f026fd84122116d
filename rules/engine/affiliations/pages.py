"""Who is tied to an organisation, in pages: profiles of their own, under names that no subject can have.

An organisation may have 100,000 people. So its ties do not stand in its profile: `NAME|` is the index, a sorted list
`[[first subject, number], …]`, and `NAME|<number>` is a page, a sorted list `[[subject, role, …], …]`. A subject
belongs to the last page whose first subject is not behind it; the first page begins at "". A page that is full is split
in the middle, so a tie rewrites one page and, seldom, the index. Nobody who is not tied is named by either. A page has
no facts, wakes, or changes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Final, NamedTuple

PAGE_MAX: Final = 512
"""Subjects of a page: as many are told by one record at most."""

Rows = list[list[Any]]
Open = Callable[[str, bool], Rows]
"""Opens the rows of a name; True: they are about to be changed."""


def index_name(organisation: str) -> str:
    """Name the index of an organisation."""
    return f"{organisation}|"


def page_name(organisation: str, number: int) -> str:
    """Name a page."""
    return f"{organisation}|{number}"


def is_page(name: str) -> bool:
    """Tell whether it is the name of an index or of a page: no subject has such a name."""
    return "|" in name


def page_of(index: Rows, subject: str) -> tuple[int, int]:
    """Return the place in the index and the number of the page of a subject."""
    if not index:
        return 0, 0
    place = max(0, bisect_right(index, subject, key=lambda row: row[0]) - 1)
    return place, index[place][1]


def tie(organisation: str, subject: str, role: str, *, tied: bool, open_: Open) -> bool:
    """Tie or untie a subject; tell whether that changed anything."""
    index = open_(index_name(organisation), False)
    place, number = page_of(index, subject)
    name = page_name(organisation, number)
    rows = open_(name, False)
    at = bisect_left(rows, subject, key=lambda row: row[0])
    there = at < len(rows) and rows[at][0] == subject
    if tied == (there and role in rows[at][1:]):
        return False
    rows = open_(name, True)
    if not index:
        open_(index_name(organisation), True).append(["", 0])
    if not tied:
        rows[at].remove(role)
        if len(rows[at]) == 1:
            del rows[at]
            if index[place][0] == subject:  # who is tied no more, an erased subject among them, is named nowhere
                _begin_later(open_(index_name(organisation), True), place, rows)
        return True
    if there:
        rows[at] = [subject, *sorted([*rows[at][1:], role])]
        return True
    rows.insert(at, [subject, role])
    if len(rows) > PAGE_MAX:
        index = open_(index_name(organisation), True)
        new = max(row[1] for row in index) + 1
        half = len(rows) // 2
        open_(page_name(organisation, new), True)[:] = rows[half:]
        index.insert(place + 1, [rows[half][0], new])
        del rows[half:]
    return True


def _begin_later(index: Rows, place: int, rows: Rows) -> None:
    """Let a page begin with the first subject that it has now; without any it is no page, and its number is free.

    A turn that goes on at the old beginning finds the page before, with nobody behind that, and goes on from there.
    """
    if rows:
        index[place] = [rows[0][0], index[place][1]]
    else:
        del index[place]


class Turn(NamedTuple):
    """Whom one record tells: subjects of one page, and after whom the next record goes on; None: that was the last."""

    subjects: list[str]
    next: str | None


def turn(organisation: str, after: str, roles: list[str], open_: Open, subjects_max: int = PAGE_MAX) -> Turn:
    """Read the page that begins at `after`, or in which it stands; at most so many subjects of it."""
    index = open_(index_name(organisation), False)
    place, number = page_of(index, after)
    rows = open_(page_name(organisation, number), False)
    wanted = set(roles)
    subjects = [row[0] for row in rows if row[0] >= after and not wanted.isdisjoint(row[1:])]
    if len(subjects) > subjects_max:
        return Turn(subjects[:subjects_max], subjects[subjects_max])
    return Turn(subjects, index[place + 1][0] if place + 1 < len(index) else None)

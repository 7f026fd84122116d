"""What `segue match` says when it is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rules.ground.words import count
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out
from streams.operations.matching.blocking import BLOCK_MAX
from streams.operations.matching.files import Linked, Made

ODD: Final[Mapping[str, tuple[str, str, str]]] = {
    "wrong_npis": ("NPI", "NPIs", "not used: wrong check digit or length"),
    "two_npis": ("row", "rows", "with another NPI than its subject's: the subject's is used"),
    "shared_mailboxes": ("e-mail address", "e-mail addresses", "of a place (info@, office@) not used"),
    "wrong_emails": ("e-mail address", "e-mail addresses", "not used: not written as one"),
}
"""Oddities to their noun, its plural, and what is done."""


def write_found(made: Made, at_least: float) -> None:
    """Say which pairs were looked at and what was found."""
    found = made.found
    for of, keys in found.looked.items():
        shown = table(f"pairs of {of} that have in common", "looked at", "left out", right=("looked at", "left out"))
        for each in keys:
            shown.add_row(*row([each.words, f"{each.pairs:,}", f"{each.left_out:,}" if each.left_out else ""]))
        out.print(shown)
    pairs = sum(each.pairs for keys in found.looked.values() for each in keys)
    rows, subjects = count(found.rows, "row"), count(found.subjects, "subject")
    write_sentence(f"{rows} of {subjects}; {count(pairs, 'pair')} looked at")
    certain = sum(each.certainty == "certain" for each in found.candidates)
    write_sentence(
        f"{count(len(found.candidates), 'candidate')}: {certain:,} certain by their NPI,"
        f" {len(found.candidates) - certain:,} scored {at_least:g} or more"
    )
    if any(each.left_out for keys in found.looked.values() for each in keys):
        write_sentence(f"left out: values that more than {BLOCK_MAX} rows have in common")
    if found.apart:
        write_sentence(f"{count(len(found.apart), 'pair')} left out that look alike and bear two NPIs")
    if found.decided or made.kept:
        decided = count(len(found.decided), "pair")
        write_sentence(f"{decided} left out that a steward has decided; {made.kept:,} kept in the table")
    if made.doubted:
        write_sentence(f"{count(made.doubted, 'decision')} that the exports speak against now: read the column note")
    for name, (noun, plural, done) in ODD.items():
        if number := getattr(found.oddities, name):
            write_sentence(f"{count(number, noun, plural)} {done}; the first in {found.oddities.first[name]}")


def write_linked(made: Linked, file: Path, *, sent: bool) -> None:
    """Say what was accepted and how many events it makes."""
    largest = max((len(each.others) + 1 for each in made.persons), default=0)
    write_sentence(
        f"{count(len(made.persons), 'person or organisation', 'persons or organisations')} of several subjects"
        + (f", the largest of {largest}" if made.persons else "")
        + (f"; {count(len(made.events), 'event')} written to {file}" if made.events else "")
        + (" and sent" if made.events and sent else "")
    )
    if not made.events:
        why = "all of it is linked already" if made.persons else "no pair is accepted"
        write_sentence(f"{why}: no file was written")
    if made.undecided:
        write_sentence(f"{count(made.undecided, 'pair')} without a decision")
    if made.events and not sent:
        write_sentence(f"send them with: segue send {file}")

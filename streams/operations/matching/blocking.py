"""Which pairs are looked at: those that have one of these keys in common. All pairs of a million rows are too many."""

from dataclasses import dataclass
from typing import Final

BLOCK_MAX: Final = 500
"""Rows that may share a key. A key of more (a placeholder, the commonest names of a country) leads to no pairs: they
would be 125,000 and more. Other keys still bring such rows together."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a row. `words`: what two rows have in common. `sql`: over a row; a list stands for several keys."""

    name: str
    field: str
    words: str
    sql: str
    several: bool = False


CONSONANTS: Final = "left(family, 1) || left(regexp_replace(substr(family, 2), '[aeiouyhw ]', '', 'g'), 5)"
PERSON: Final = (
    Key("k_npi", "npi", "the NPI", "npi"),
    Key("k_email", "email", "the e-mail", "email"),
    Key("k_mailbox", "email", "the part before the @", "CASE WHEN length(mailbox) >= 5 THEN mailbox END"),
    Key(
        "k_both",
        "name",
        "both names, in any order",
        "CASE WHEN family <> '' AND given <> '' THEN least(family, given) || '|' || greatest(family, given) END",
    ),
    Key(
        "k_initial",
        "name",
        "family name and first initial",
        "CASE WHEN family <> '' THEN family || '|' || left(given, 1) END",
    ),
    Key(
        "k_short",
        "name",
        "family name and a short form",
        "CASE WHEN family <> '' THEN list_transform(roots, lambda each: family || '|' || each) END",
        several=True,
    ),
    Key(
        "k_sound",
        "name",
        "consonants of the family name, and initial",
        f"CASE WHEN family <> '' THEN {CONSONANTS} || '|' || left(given, 1) END",
    ),
    Key(
        "k_begin",
        "name",
        "given name and three letters of the family name",
        "CASE WHEN length(given) > 1 AND family <> '' THEN given || '|' || left(family, 3) END",
    ),
    Key(
        "k_end",
        "name",
        "given name, first and last letters of the family name",
        "CASE WHEN length(given) > 1 AND length(family) > 4"
        " THEN given || '|' || left(family, 1) || right(family, 3) END",
    ),
    Key(
        "k_place_family",
        "address",
        "postcode and three letters of the family name",
        "CASE WHEN postcode <> '' AND family <> '' THEN postcode || '|' || left(family, 3) END",
    ),
    Key(
        "k_place_given",
        "address",
        "postcode and given name",
        "CASE WHEN postcode <> '' AND length(given) > 1 THEN postcode || '|' || given END",
    ),
)
ORGANISATION: Final = (
    Key("k_npi", "npi", "the NPI", "npi"),
    Key("k_domain", "email", "the domain of the e-mail", "domain"),
    Key("k_name", "name", "all words of the name", "name"),
    Key(
        "k_words",
        "name",
        "two words of the name",
        "list_distinct(flatten(list_transform(string_split(name, ' '), lambda one: list_transform(list_filter("
        "string_split(name, ' '), lambda other: other > one), lambda other: one || '|' || other))))",
        several=True,
    ),
    Key(
        "k_begin",
        "name",
        "what it is and how its name begins",
        "CASE WHEN core <> '' THEN what || '|' || left(core, 3) END",
    ),
    Key(
        "k_end",
        "name",
        "what it is and how its name ends",
        "CASE WHEN length(core) > 3 THEN what || '|' || right(core, 3) END",
    ),
    Key(
        "k_place",
        "address",
        "postcode and a word of the name",
        "CASE WHEN postcode <> '' AND name <> '' THEN"
        " list_transform(string_split(name, ' '), lambda each: postcode || '|' || each) END",
        several=True,
    ),
)

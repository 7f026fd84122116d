"""How much each agreement weighs: the levels of each comparison, with how often they come in one and in two people.

`m`: the share of pairs of one person (or organisation) at this level; `u`: the share of pairs of two. They are not
learned from the files, so that few rows, or odd ones, cannot turn them, and a score means the same in every run. They
were set by hand and checked on synthetic people. Splink takes them as they stand. How common a name or a mailbox is in
the files is counted besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Word: TypeAlias = Literal["agree", "close", "differs", ""]


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the first whose condition (SQL over `_l` and `_r`) holds. `counted`: weigh it by how common it is."""

    condition: str
    word: Word
    m: float
    u: float
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared as one thing; its parts would not be independent. `missing`: it says nothing."""

    field: str
    missing: str
    levels: Sequence[Level]


SAME_GIVEN: Final = "(given_l = given_r OR list_has_any(roots_l, roots_r))"
NEAR_GIVEN: Final = f"({SAME_GIVEN} OR jaro_winkler_similarity(given_l, given_r) >= 0.90)"
INITIAL: Final = (
    "(least(length(given_l), length(given_r)) <= 1"
    " AND (left(given_l, 1) = left(given_r, 1) OR given_l = '' OR given_r = ''))"
)
NEAR_FAMILY: Final = (
    "(jaro_winkler_similarity(family_l, family_r) >= 0.92"
    " OR list_has_any(string_split(family_l, ' '), string_split(family_r, ' ')))"
)
NAME: Final = Comparison(
    "name",
    "family_l = '' OR family_r = ''",
    (
        Level("family_l = family_r AND given_l = given_r AND length(given_l) > 1", "agree", 0.56, 2e-5, "person"),
        Level("family_l = given_r AND given_l = family_r", "close", 0.03, 1e-5),
        Level(
            f"family_l = family_r AND length(given_l) > 1 AND length(given_r) > 1 AND {NEAR_GIVEN}", "close", 0.14, 4e-5
        ),
        Level(f"family_l = family_r AND {INITIAL}", "close", 0.07, 3e-4),
        Level(f"{NEAR_FAMILY} AND ({NEAR_GIVEN} OR {INITIAL})", "close", 0.12, 1e-4),
        Level("family_l = family_r", "differs", 0.02, 2e-3),
        Level(f"given_l <> '' AND {SAME_GIVEN}", "differs", 0.03, 1e-2),
        Level("ELSE", "differs", 0.03, 0.987),
    ),
)
EMAIL: Final = Comparison(
    "email",
    "email_l = '' OR email_r = ''",
    (
        # anna@clinic.example may be another Anna's in another year
        Level("email_l = email_r AND (mailbox_l = given_l OR mailbox_r = given_r)", "agree", 0.05, 2e-4, "email"),
        Level("email_l = email_r", "agree", 0.45, 1e-5, "email"),
        Level("mailbox_l = mailbox_r AND length(mailbox_l) >= 5", "close", 0.12, 2e-4),
        Level("domain_l = domain_r AND jaro_winkler_similarity(mailbox_l, mailbox_r) >= 0.94", "close", 0.06, 1e-4),
        Level("ELSE", "differs", 0.32, 0.9997),
    ),
)
SAME_STREET: Final = (
    "(street_l <> '' AND street_r <> '' AND regexp_extract(street_l, '[0-9]+') = regexp_extract(street_r, '[0-9]+')"
    " AND (street_l = street_r OR jaro_winkler_similarity(street_l, street_r) >= 0.94"
    " OR starts_with(street_l, street_r || ' ') OR starts_with(street_r, street_l || ' ')))"
)
NO_PLACE: Final = "((postcode_l = '' OR postcode_r = '') AND (city_l = '' OR city_r = ''))"
ADDRESS: Final = Comparison(
    "address",
    NO_PLACE,
    (
        Level(f"postcode_l = postcode_r AND postcode_l <> '' AND {SAME_STREET}", "agree", 0.45, 2e-4, "place"),
        Level(f"city_l = city_r AND city_l <> '' AND {SAME_STREET}", "close", 0.10, 3e-4),
        Level("postcode_l = postcode_r AND postcode_l <> ''", "close", 0.15, 2e-3),
        Level("city_l = city_r AND city_l <> ''", "close", 0.12, 2e-2),
        Level("ELSE", "differs", 0.18, 0.977),
    ),
)
PERSON: Final = (NAME, EMAIL, ADDRESS)

SHARED_WORDS: Final = (
    "len(list_intersect(string_split(name_l, ' '), string_split(name_r, ' ')))"
    " / greatest(len(list_distinct(list_concat(string_split(name_l, ' '), string_split(name_r, ' ')))), 1)"
)
SHARED_CORE: Final = "core_l <> '' AND list_has_any(string_split(core_l, ' '), string_split(core_r, ' '))"
ORGANISATION: Final = (
    Comparison(
        "name",
        "name_l = '' OR name_r = ''",
        (
            Level("name_l = name_r", "agree", 0.62, 2e-5, "name"),
            Level("what_l = what_r AND jaro_winkler_similarity(core_l, core_r) >= 0.9", "close", 0.14, 1e-4),
            Level("core_l = core_r AND core_l <> ''", "close", 0.08, 2e-3),
            Level(f"{SHARED_WORDS} >= 0.5 AND {SHARED_CORE}", "close", 0.06, 2e-3),
            Level("ELSE", "differs", 0.10, 0.996),
        ),
    ),
    Comparison(
        "email",
        "domain_l = '' OR domain_r = ''",
        (
            Level("email_l = email_r AND email_l <> ''", "agree", 0.25, 1e-5, "email"),
            Level("domain_l = domain_r", "close", 0.45, 1e-4, "domain"),
            Level("ELSE", "differs", 0.30, 0.9998),
        ),
    ),
    ADDRESS,
)

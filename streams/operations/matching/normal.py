"""One way of writing: what is compared of a row. nameparser takes names apart, cleanco takes legal forms off."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from streams.operations.matching.exports import Row
from streams.operations.matching.npi import is_npi
from streams.operations.matching.words import (
    DEPARTMENTS,
    FREE_MAIL,
    KINDS,
    ORGANISATION,
    SHARED_MAILBOXES,
    SMALL,
    STREET,
)

_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})
_UMLAUTS: Final = re.compile(r"(?<=[aou])e")
_PARTS: Final = re.compile(r"\s+-\s+|[,;(]")
"""Between the name of a house and that of its department, or its legal form."""
FORMS_MAX: Final = 2
"""Legal forms behind each other: Company, Inc."""
NAMES_KEPT: Final = 100_000
"""Names whose parts are kept in memory: about 20 MB."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch


@dataclass(frozen=True, slots=True)
class Normal:
    """A row as it is compared. Empty: the row does not say. Words are in lower case, without accents, punctuation."""

    subject: str
    npi: str = ""
    email: str = ""
    mailbox: str = ""
    """The e-mail's part before the @, without dots and what follows a plus; empty where it is a shared one."""
    domain: str = ""
    family: str = ""
    given: str = ""
    """The first given name."""
    roots: tuple[str, ...] = ()
    """The given name and the names that it may be short for, or that are short for it; sorted."""
    name: str = ""
    """Of an organisation: its words without legal form, small words left out, sorted."""
    core: str = ""
    """The words of its name that say which one it is, sorted: none that says what it is, as hospital."""
    what: str = ""
    """The other words of its name, sorted."""
    street: str = ""
    postcode: str = ""
    city: str = ""


@dataclass(slots=True)
class Oddities:
    """What was read and not used, counted."""

    wrong_npis: int = 0
    """NPIs without ten digits, or with a wrong check digit."""
    two_npis: int = 0
    """Rows whose NPI is another than the one in their subject."""
    shared_mailboxes: int = 0
    wrong_emails: int = 0
    first: dict[str, str] = field(default_factory=dict)
    """The place of the first of each."""

    def count(self, what: str, place: str) -> None:
        """Count one more."""
        setattr(self, what, getattr(self, what) + 1)
        self.first.setdefault(what, place)


class Normaliser:
    """Makes rows comparable. Needs the packages of the extra `match`. Raises MatchingMissing when it is made."""

    def __init__(self, by: frozenset[str]) -> None:
        """Compare by these of npi, email, name and address."""
        try:
            from cleanco import basename
            from nameparser import HumanName
            from nicknames import NickNamer
        except ImportError:
            raise MatchingMissing from None
        self.oddities = Oddities()
        self._by = by
        self._basename = basename
        self._human_name = HumanName
        # nameparser takes 130 µs a name, which is most of a row; exports of several sources repeat each other's names
        self._parse = lru_cache(maxsize=NAMES_KEPT)(self._parse_new)
        self._nicknames = NickNamer()
        self._known_roots: dict[str, tuple[str, ...]] = {}

    def person(self, row: Row) -> Normal:
        """Return a row of a person as it is compared."""
        family, given = self._names(row.values) if "name" in self._by else ("", "")
        return Normal(
            row.subject,
            **self._reach(row),
            family=family,
            given=given,
            roots=self._roots(given) if given else (),
            **self._address(row.values),
        )

    def organisation(self, row: Row) -> Normal:
        """Return a row of an organisation as it is compared."""
        name = row.values.get("name", "") if "name" in self._by else ""
        reach = self._reach(row)
        if reach.get("domain") in FREE_MAIL:
            reach["domain"] = ""
        words = self._organisation_words(name)
        core = sorted(each for each in words if each not in KINDS)
        return Normal(
            row.subject,
            **reach,
            name=" ".join(sorted(words)),
            core=" ".join(core),
            what=" ".join(sorted(words - set(core))),
            **self._address(row.values),
        )

    def _reach(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "npi" in self._by:
            found["npi"] = self._npi(row)
        email = row.values.get("email", "").lower()
        if "email" in self._by and email:
            if _EMAIL(email) is None:
                self.oddities.count("wrong_emails", row.place)
                return found
            mailbox, _, domain = email.rpartition("@")
            mailbox = mailbox.partition("+")[0]
            if mailbox in SHARED_MAILBOXES:
                self.oddities.count("shared_mailboxes", row.place)
                return found | {"domain": domain}
            mailbox = re.sub(r"[._-]", "", mailbox)
            found |= {"email": f"{mailbox}@{domain}", "mailbox": mailbox, "domain": domain}
        return found

    def _npi(self, row: Row) -> str:
        told, named = row.values.get("npi", ""), row.subject.partition(":")[2]
        digits = re.sub(r"[\s.-]", "", told)
        if digits and not is_npi(digits):
            self.oddities.count("wrong_npis", row.place)
            digits = ""
        if is_npi(named) and digits not in ("", named):
            self.oddities.count("two_npis", row.place)
        return named if is_npi(named) else digits

    def _names(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return family name and first given name."""
        if "family" in values:
            family = words_of(values["family"])
            given = words_of(values.get("given", ""))
        else:
            family, given = self._parse(values.get("name", ""))
        family = " ".join(
            each for each in family.split() if each not in ("jr", "sr", "ii", "iii", "iv", "md", "do", "np")
        )
        return family, given.partition(" ")[0]

    def _parse_new(self, name: str) -> tuple[str, str]:
        parsed: Any = self._human_name(name)
        family, given = words_of(str(parsed.last)), words_of(str(parsed.first))
        return (family, given) if family else (given, "")

    def _roots(self, given: str) -> tuple[str, ...]:
        if given not in self._known_roots:
            found = {given, *self._nicknames.canonicals_of(given), *self._nicknames.nicknames_of(given)}
            self._known_roots[given] = tuple(sorted(words_of(each) for each in found))
        return self._known_roots[given]

    def _organisation_words(self, name: str) -> set[str]:
        if not name:
            return set()
        house, *parts = (each for each in _PARTS.split(name) if each.strip())
        for part in parts:  # what stands behind is left where it is a department or a legal form
            if not _long(words_of(part, umlauts=False)) <= DEPARTMENTS:
                house = f"{house} {part}"
        for _ in range(FORMS_MAX):
            house = str(self._basename(house)) or house
        words = _long(words_of(house, umlauts=False)) or _long(words_of(name, umlauts=False))
        return {each for each in words if each not in SMALL} or words

    def _address(self, values: Mapping[str, str]) -> dict[str, Any]:
        if "address" not in self._by:
            return {}
        street = words_of(values.get("street", ""))
        short = " ".join(STREET.get(each, each) for each in street.split())
        postcode = re.sub(r"[\s-]", "", values.get("postcode", "")).lower()
        # ZIP+4 names a side of a street: the five digits are what all sources have
        postcode = postcode[:5] if re.fullmatch(r"[0-9]{5}[0-9]{4}", postcode) else postcode
        return {"street": short, "postcode": postcode, "city": words_of(values.get("city", ""))}


def _long(text: str) -> set[str]:
    """Return the words of an organisation as they are written in full; those of a department at the end are left."""
    words = [part for each in text.split() for part in ORGANISATION.get(each, each).split()]
    if len(words) > 2 and words[-1] == "department" and words[-2] in DEPARTMENTS:
        words = words[:-2]
    return set(words)


class MatchingMissing(Exception):
    """The packages of the extra are not installed."""


@lru_cache(maxsize=100_000)
def words_of(text: str, *, umlauts: bool = True) -> str:
    """Return a text's words in lower case, without accents and punctuation.

    `umlauts`: Müller, Mueller and Muller become one, by leaving out an e after a, o and u, everywhere.
    """
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    plain = "".join(each for each in folded if not unicodedata.combining(each))
    # O'Brien is one word, Garcia-Lopez two
    plain = re.sub(r"['’`.]", "", plain)
    plain = re.sub(r"[\W_]+", " ", plain).strip()
    return _UMLAUTS.sub("", plain) if umlauts else plain

"""The public keys of people: `keys.yaml` in the catalogue's folder. It is no part of the catalogue and of its hash.

```yaml
keys:
  - {person: ana.keller, roles: [us-oncology-marketing], key: "ed25519:…", from: 2026-01-01, until: 2027-01-01}
```
A person may have several rows: a key for each role, or a new key after an old one. A signature counts if a row of its
person has its key and its role, and its instant lies in [from, until). So a row that ends keeps what it signed; a row
that is taken out takes all of its signatures with it: that is how a stolen key is revoked.
"""

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from rules.language.problems import CatalogueErrors, DefinitionReader, Problems, Source
from rules.language.validation import Instant, Items, Maybe, Name, Strict, matching

KEYS_FILE: Final = "keys.yaml"
KEY_PREFIX: Final = "ed25519:"
_KEY = re.compile(r"ed25519:[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One row: a key of a person, and the roles for which it signs. Instants in epoch ms."""

    person: str
    roles: tuple[str, ...]
    key: str
    """`ed25519:` and the 32 bytes in base64."""
    from_ms: int
    until_ms: int | None
    """None: it has no end."""

    def holds(self, role: str, at_ms: int) -> bool:
        """Tell whether the row signs for a role at an instant."""
        return role in self.roles and self.valid(at_ms)

    def valid(self, at_ms: int) -> bool:
        """Tell whether the row is valid at an instant."""
        return self.from_ms <= at_ms and (self.until_ms is None or at_ms < self.until_ms)

    @property
    def bytes(self) -> bytes:
        """Return the key's 32 bytes."""
        return b64decode(self.key.removeprefix(KEY_PREFIX))


@dataclass(frozen=True, slots=True)
class Keys:
    """All rows, in the order of the file. `raw`: the file's value, None where there is no file."""

    rows: tuple[PublicKey, ...] = ()
    raw: Any = None

    def of_key(self, key: str) -> list[PublicKey]:
        """Return the rows of a key."""
        return [row for row in self.rows if row.key == key]

    def people(self, role: str, at_ms: int) -> list[str]:
        """Return who may sign for a role at an instant, sorted."""
        return sorted({row.person for row in self.rows if row.holds(role, at_ms)})

    def roles(self) -> list[str]:
        """Return every role that a row names, sorted."""
        return sorted({role for row in self.rows for role in row.roles})


def narrows(was: Keys, now: Keys) -> bool:
    """Tell whether keys only let fewer people sign, for fewer roles or a shorter time."""
    return all(
        any(
            (row.person, row.key) == (old.person, old.key)
            and set(row.roles) <= set(old.roles)
            and row.from_ms >= old.from_ms
            and (old.until_ms is None or (row.until_ms is not None and row.until_ms <= old.until_ms))
            for old in was.rows
        )
        for row in now.rows
    )


class _Row(Strict):
    person: Name
    roles: Annotated[Items[Name], Field(min_length=1)]
    key: Annotated[
        str, matching(rf"^{_KEY.pattern}$", "must be ed25519: and 44 characters; segue approve --new-key writes it")
    ]
    from_: Annotated[Instant, Field(alias="from")]
    until: Maybe[Instant] = None


class _File(Strict):
    keys: Maybe[Items[_Row]] = None
    author: Maybe[Name] = None


def read_keys(source: Source | None) -> Keys:
    """Read keys.yaml; None is no file, which has no keys. Raises CatalogueErrors with every error at its place."""
    if source is None or source.value is None:
        return Keys()
    problems = Problems(source.syntax)
    reader = DefinitionReader.of(source, problems)
    model = reader.model(_File) if source.readable else None
    if model is None or problems:
        raise CatalogueErrors(problems)
    rows = [PublicKey(row.person, row.roles, row.key, row.from_, row.until) for row in model.keys or ()]
    _check_owners(reader, rows)
    if problems:
        raise CatalogueErrors(problems)
    return Keys(tuple(rows), source.value)


def _check_owners(reader: DefinitionReader, rows: Iterable[PublicKey]) -> None:
    """Record a key that two people have: its signatures would be nobody's; and an end before the beginning."""
    owners: dict[str, str] = {}
    for index, row in enumerate(rows):
        here = reader.down("keys", index)
        if owners.setdefault(row.key, row.person) != row.person:
            here.down("key").problem(f"is the key of {owners[row.key]} already: every person has a key of their own")
        if row.until_ms is not None and row.until_ms <= row.from_ms:
            here.down("until").problem("must be later than 'from'")

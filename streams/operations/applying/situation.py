"""What an apply finds: the catalogue in force with its record, the new catalogue, the options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from rules.catalogue.applied import Applied, read_applied
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.versions import Ledger
from rules.language.problems import CatalogueErrors, Source
from streams.operations.applying.options import Options
from streams.operations.servers import Servers
from streams.records import Stored
from streams.settings import assignment_keys


@dataclass(frozen=True, slots=True)
class InForce:
    """The catalogue in force, with its record."""

    hash: str
    offset: int
    """The offset of its record in the topic of catalogues."""
    record: Mapping[str, Any]
    """The record as it was stored; empty where it cannot be read."""
    catalogue: Catalogue | None
    """Compiled under the rules of this version; None where it does not load here."""
    applied: Applied | None
    """How it was applied; None where its record does not say."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the checks and the steps of one apply are given."""

    servers: Servers
    in_force: InForce | None
    """None: no catalogue was ever applied."""
    catalogue: Catalogue
    """The new one."""
    options: Options
    applied: Applied
    """How the new one is applied; it goes into the record."""
    ledger: Ledger
    """The highest version of each definition that was ever in force."""

    @property
    def old(self) -> Catalogue | None:
        """The catalogue in force, compiled; None where there is none, or it does not load here."""
        return None if self.in_force is None else self.in_force.catalogue


def read_in_force(stored: Stored | None) -> InForce | None:
    """Read the record of the catalogue in force, of any rules version; None where none was applied."""
    if stored is None or stored.key is None or stored.value is None:
        return None
    try:
        record = orjson.loads(stored.value)
        files = record["files"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return InForce(stored.key.decode(), stored.offset, {}, None, None)
    return InForce(
        stored.key.decode(), stored.offset, record, _compiled(dict(files)), read_applied(record.get("applied"))
    )


def _compiled(files: Mapping[str, Any]) -> Catalogue | None:
    try:
        return load_catalogue([Source(file, value) for file, value in files.items()], assignment_keys())
    except (CatalogueErrors, ValueError, KeyError, TypeError, AttributeError):
        return None

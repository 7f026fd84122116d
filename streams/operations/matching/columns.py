"""Which column of an export holds which field: usual names, and what `--columns` says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rules.language.validation import nearest
from streams.operations.errors import WrongRequest

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "subject": ("subject", "profile"),
    "npi": ("npi", "npi_number"),
    "email": ("email", "e_mail", "email_address"),
    "name": ("name", "full_name", "display_name", "organisation", "organization", "organisation_name", "company"),
    "given": ("given", "given_name", "first_name", "firstname"),
    "family": ("family", "family_name", "last_name", "lastname", "surname"),
    "street": ("street", "street_address", "address", "address_1"),
    "city": ("city", "town"),
    "postcode": ("postcode", "postal_code", "zip", "zip_code"),
}
"""Field to the headings that are taken for it; compared in lower case, with `_` for what is no letter or digit."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a field stands. `kind`: put before a subject's name, with a colon; empty: the column holds it all."""

    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One `--columns`. `file`: the file that it is for, as given or its bare name; None: every file."""

    file: str | None
    columns: Mapping[str, Column]

    def is_for(self, file: Path) -> bool:
        """Tell whether it is for a file."""
        return self.file is None or self.file in (str(file), file.name)


def read_mapping(text: str, files: Sequence[Path]) -> Mapped:
    """Read `[FILE:] FIELD=COLUMN, …`; `subject=crm:ID` puts `crm:` before the text of the column ID.

    Raises WrongRequest: a form that is none, a field that is none.
    """
    file, rest = None, text
    before, colon, after = text.partition(":")
    if colon and "=" not in before:
        file, rest = before.strip(), after
        if not any(Mapped(file, {}).is_for(each) for each in files):
            raise WrongRequest(f"--columns names the file {file!r}, which is not among those given")
    columns: dict[str, Column] = {}
    for part in rest.split(","):
        field, equals, column = (each.strip() for each in part.partition("="))
        if not equals or not field or not column:
            raise WrongRequest(f"--columns {text!r}: write FIELD=COLUMN, with a comma between two")
        if field not in FIELDS:
            raise WrongRequest(f"--columns: {field!r} is no field{nearest(field, FIELDS)}")
        kind, colon, name = column.partition(":") if field == "subject" else ("", "", column)
        columns[field] = Column(name.strip() if colon else column, kind.strip() if colon else "")
    return Mapped(file, columns)


def columns_of(headings: Sequence[str], file: Path, mappings: Sequence[Mapped]) -> dict[str, Column]:
    """Return where each field stands in a file. Raises WrongRequest: no subject, or a column that is not there."""
    found: dict[str, Column] = {}
    for field, names in FIELDS.items():
        by_name = {plain_heading(each): each for each in reversed(headings)}
        usual = [by_name[name] for name in names if name in by_name]
        if usual:
            found[field] = Column(usual[0])
    for mapping in mappings:
        if mapping.is_for(file):
            for field, column in mapping.columns.items():
                if column.name not in headings:
                    several = mapping.file is None and len(mappings) > 1
                    hint = "; say FILE: before it if it is for one file only" if several else ""
                    raise WrongRequest(
                        f"{file}: there is no column {column.name!r}{hint}{nearest(column.name, headings)}"
                    )
                found[field] = column
    if "subject" not in found:
        raise WrongRequest(
            f"{file}: no column is called subject: say which one holds it, as --columns 'subject=crm:ID'",
        )
    return found


def plain_heading(text: str) -> str:
    """Return a heading as it is compared."""
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")

"""The columns of a list of members: which there are, their types, and what must be read for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.language.validation import nearest
from streams.operations.errors import WrongRequest
from streams.operations.sight import Sight

ColumnType: TypeAlias = Literal["string", "number", "integer", "boolean", "datetime", "list"]
"""As the dictionary names them; a datetime is in epoch milliseconds."""
Of: TypeAlias = Literal["segment", "activation"]
TRAIT: Final = "trait:"
"""Before a trait's name that is also a column's."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `trait`: the trait that it shows; None: it is one of `TOLD`."""

    name: str
    type: ColumnType
    trait: str | None = None


_SHARED: Final[Mapping[str, ColumnType]] = {
    "profile": "string",
    "since": "datetime",
    "version": "integer",
    "reason": "string",
    "events": "list",
    "subjects": "list",
}
TOLD: Final[Mapping[Of, Mapping[str, ColumnType]]] = {
    "segment": {**_SHARED, "conditions": "list", "backfill": "boolean"},
    "activation": {**_SHARED, "channel": "string", "journey": "string", "arm": "string", "was": "string"},
}
"""Columns that are no traits. `subjects` are those whose facts the member has; of the others all but `profile` and
`since` are those of the change that made the member one."""
OF_STATE: Final = frozenset({"profile", "since", "subjects"})
"""Columns of TOLD that no change says."""
USUAL: Final[Mapping[Of, tuple[str, ...]]] = {
    "segment": ("profile", "since", "reason"),
    "activation": ("profile", "since", "arm"),
}
"""What a file has where nothing is asked for."""


def read_columns(names: Sequence[str], of: Of, catalogue: Catalogue, sight: Sight) -> tuple[Column, ...]:
    """Return the columns of these names, in order; none: the usual ones.

    Raises WrongRequest for a name that is neither a column nor a trait, or that comes twice; Restricted for a trait
    that the reader does not see.
    """
    told, traits = TOLD[of], catalogue.dictionary.traits
    found: list[Column] = []
    for name in names or USUAL[of]:
        trait = name.removeprefix(TRAIT)
        if name in told:
            found.append(Column(name, told[name]))
        elif trait in traits:
            sight.expect("trait", trait)
            found.append(Column(name, traits[trait].type, trait))
        else:
            known = [*told, *traits]
            raise WrongRequest(
                f"there is no column {name!r}: give {', '.join(told)}, or a declared trait{nearest(trait, known)}"
            )
    twice = [each.name for number, each in enumerate(found) if each in found[:number]]
    if twice:
        raise WrongRequest(f"the column {twice[0]!r} is asked for twice")
    return tuple(found)


def told_value(column: Column, change: Mapping[str, Any] | None) -> Any:
    """Return what a published change says for a column; None where it does not say, or there is no change."""
    if change is None:
        return None
    reason = change["reason"]
    match column.name:
        case "version":
            return change.get("segment_version", change.get("activation_version"))
        case "reason":
            return reason["kind"]
        case "events" | "conditions" | "was":
            return reason.get(column.name)
        case _:
            return change.get(column.name)

"""A catalogue out of a folder, as an operation takes it."""

from collections.abc import Sequence
from pathlib import Path

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.pilot import Pilot
from rules.language.problems import CatalogueErrors, Source
from streams.operations.errors import AssignmentKeyWrong, CatalogueRefused
from streams.operations.yaml_files import read_folder
from streams.settings import assignment_keys


def load(folder: Path) -> Catalogue:
    """Load a catalogue's folder; blocks. Raises CatalogueRefused with every error at its place."""
    return load_with_sources(folder)[1]


def load_with_sources(folder: Path) -> tuple[Sequence[Source], Catalogue]:
    """Load a catalogue's folder as `load` does; return its files with the place of every value, and the catalogue."""
    try:
        sources = read_folder(folder)
        return sources, load_catalogue(sources, assignment_keys())
    except CatalogueErrors as wrong:
        raise CatalogueRefused(wrong.problems) from None


def expect_key(*catalogues: Catalogue) -> None:
    """See that every assignment of catalogues can be computed here. Raises AssignmentKeyWrong."""
    for catalogue in catalogues:
        key = catalogue.policy.key
        activations = [*catalogue.activations.values(), *catalogue.activations_before.values()]
        assigns = any(each.status == "approved" and (each.holdout or each.arms) for each in activations)
        pilots = [each.pilot for each in activations if each.status == "approved"]
        pilots += [each.pilot for each in catalogue.approved.values()]
        if key is not None and key.secret is None and (assigns or any(map(by_share, pilots))):
            raise AssignmentKeyWrong(key.wrong)


def by_share(pilot: Pilot | None) -> bool:
    """Tell whether a pilot goes by the keyed hash of subjects."""
    return pilot is not None and pilot.percent is not None

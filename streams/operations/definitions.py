"""A catalogue out of a folder, as an operation takes it."""

from pathlib import Path

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.language.problems import CatalogueErrors
from streams.operations.errors import CatalogueRefused
from streams.operations.yaml_files import read_folder


def load(folder: Path) -> Catalogue:
    """Load a catalogue's folder; blocks. Raises CatalogueRefused with every error at its place."""
    try:
        return load_catalogue(read_folder(folder))
    except CatalogueErrors as wrong:
        raise CatalogueRefused(wrong.problems) from None

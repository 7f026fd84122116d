"""The versions before the pilots of a new catalogue, out of the catalogue in force (docs/language.md, Pilots)."""

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilots import lacks_before, with_before
from rules.language.problems import CatalogueErrors
from streams.operations.errors import CatalogueRefused, PilotsUnknown


def complete(catalogue: Catalogue, in_force: Catalogue | None, *, readable: bool) -> Catalogue:
    """Return a new catalogue with the version before each of its pilots; without pilots it is returned as it is.

    `readable` False: a catalogue is in force that does not load here. Raises PilotsUnknown: then nobody can tell which
    version goes on; CatalogueRefused: a version before does not load in the new catalogue.
    """
    if not readable and (lacking := lacks_before(catalogue)):
        raise PilotsUnknown(lacking)
    try:
        return with_before(catalogue, in_force)
    except CatalogueErrors as wrong:
        raise CatalogueRefused(wrong.problems) from None

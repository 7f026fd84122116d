"""A catalogue on its way into force: its pilots get the versions before them (`rules.catalogue.before`)."""

from collections.abc import Iterator
from dataclasses import replace

from rules.catalogue.before import FOLDERS, lacking
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.pilot import PILOT
from rules.language.problems import CatalogueErrors, Problem, Source


def with_before(catalogue: Catalogue, in_force: Catalogue | None) -> Catalogue:
    """Return the catalogue as it comes into force after another: with the versions before its pilots.

    A version that the catalogue holds already stays. The very catalogue is returned where nothing is lacking. Raises
    CatalogueErrors, at the places of the pilots: a version before does not load in this catalogue any more.
    """
    found = () if in_force is None else tuple(_lacking(catalogue, in_force))
    if not found:
        return catalogue
    try:
        return load_catalogue([*catalogue.given, *found], catalogue.policy.known_keys)
    except CatalogueErrors as wrong:
        raise CatalogueErrors(_at_pilot(each, catalogue) for each in wrong.problems) from None


def _lacking(catalogue: Catalogue, in_force: Catalogue) -> Iterator[Source]:
    for kind, found in (
        ("segment", lacking(catalogue.segments, catalogue.before, in_force.segments, in_force.before)),
        (
            "activation",
            lacking(
                catalogue.activations,
                catalogue.activations_before,
                in_force.activations,
                in_force.activations_before,
            ),
        ),
    ):
        for name, each in found:
            yield Source(f"{FOLDERS[kind]}/{name}.yaml", each.raw)


def _at_pilot(problem: Problem, catalogue: Catalogue) -> Problem:
    """Tell a problem of a version before where its pilot stands: the file of the version is in no folder."""
    for kind, definitions in (("segment", catalogue.segments), ("activation", catalogue.activations)):
        folder, _, name = problem.file.rpartition("/")
        each = definitions.get(name.removesuffix(".yaml"))
        if folder == FOLDERS[kind] and each is not None:
            source = next(source for source in catalogue.sources if source.value is each.raw)
            line, col = source.place((PILOT,))
            message = f"the version before this pilot, which goes on governing the others: {problem.message}"
            return replace(problem, file=source.file, line=line, col=col, message=message)
    return problem


def lacks_before(catalogue: Catalogue) -> list[str]:
    """Return the ids of pilots that have no version before in the catalogue."""
    segments = (name for name, each in catalogue.approved.items() if each.pilot and name not in catalogue.before)
    activations = (
        name
        for name, each in catalogue.activations.items()
        if each.pilot and each.status == "approved" and name not in catalogue.activations_before
    )
    return [*segments, *activations]

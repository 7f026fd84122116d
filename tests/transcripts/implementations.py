"""The two implementations behind one call. Every transcript and every property runs through both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.engine.replay import Then
from rules.engine.replay import replay as engine_replay
from rules.language.problems import Source
from tests.naive import Cut
from tests.naive import replay as naive_replay
from tests.naive.reading import Catalogue as PlainCatalogue
from tests.naive.reading import catalogue as plain_catalogue
from tests.transcripts.transcript import Files

Output = tuple[list[bytes], list[tuple[int, str]]]
"""Changes as JSON, and refused lines as (number, code)."""
Implementation = Callable[[Files, Sequence[bytes], Sequence[tuple[int, Files]], int | None, bool], Output]


def plain(files: Files) -> PlainCatalogue:
    """Put a catalogue together for the naive evaluator."""
    segments = [value for name, value in files.items() if name.startswith("segments/")]
    activations = [value for name, value in files.items() if name.startswith("activations/")]
    before = [value for name, value in files.items() if name.startswith("before/")]
    return plain_catalogue(files["dictionary.yaml"], segments, files.get("policy.yaml"), activations, before)


def compiled(files: Mapping[str, Any]) -> Catalogue:
    """Compile a catalogue for the engine; raises CatalogueErrors."""
    return load_catalogue([Source(name, value) for name, value in files.items()])


def naive(
    files: Files, lines: Sequence[bytes], cuts: Sequence[tuple[int, Files]], until: int | None, as_live: bool
) -> Output:
    """Replay through the naive evaluator."""
    found = naive_replay(plain(files), lines, until, [Cut(at, plain(each)) for at, each in cuts], as_live)
    return found.changes, found.refusals


def engine(
    files: Files, lines: Sequence[bytes], cuts: Sequence[tuple[int, Files]], until: int | None, as_live: bool
) -> Output:
    """Replay through the engine."""
    then = [Then(at, compiled(each)) for at, each in cuts]
    changes, refused = engine_replay(compiled(files), lines, until_ms=until, then=then, as_live=as_live)
    return changes, [(each.line, each.code) for each in refused]


ACTIVATING = ("naive", "engine")
"""The implementations that decide activations."""
IMPLEMENTATIONS: Mapping[str, Implementation] = {"naive": naive, "engine": engine}

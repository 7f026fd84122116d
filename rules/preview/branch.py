"""A branch: copies of profiles, a cut to another catalogue, the history that a fill brings, and what changes.

The engine does all of it. Profiles do not depend on each other, so some of them give the changes that all would give.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.cut import Cut
from rules.engine.decode import Own
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.engine.record import Decode, Decoded, Record
from rules.engine.step import Seen
from rules.language.dictionary import Dictionary

GENERATION: Final = "preview"
"""Stands in the ids of changes that nobody publishes."""
Past = Callable[[str], Iterable[Seen]]
"""What a profile took in, by subject."""


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where an engine stands: its clock, the cuts that profiles may stand under, their catalogues."""

    clock_ms: int
    cuts: tuple[Cut, ...]
    catalogues: Mapping[str, Catalogue]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What a cut to a catalogue would do to some profiles."""

    engine: Partition
    """The engine after the cut: all its profiles are visited."""
    plan: Plan
    changes: Sequence[AnyChange]
    """Changes of the cut."""


def nothing(_record: Record, _dictionary: Dictionary, _r_ms: int) -> Decoded:
    """Decode no record: the branch of an instant reads none."""
    return Own("", None)


def cut_copies(
    at: Standpoint, copies: Mapping[str, bytes], to: Catalogue, t_ms: int, past: Past, decode: Decode = nothing
) -> Cutting:
    """Cut packed profiles (by subject) to a catalogue at `t_ms`, not before the clock.

    `decode` reads the records that the engine is fed afterwards.
    """
    engine = Partition(GENERATION, decode, clock_ms=at.clock_ms, history=past)
    for digest, catalogue in at.catalogues.items():
        engine.give_catalogue(digest, catalogue)
    if at.cuts:
        engine.resume(at.cuts)
    for subject, blob in copies.items():
        engine.give_profile(subject, blob)
    whole(engine.pass_time(t_ms))
    whole(engine.cut(to, t_ms))
    changes = changes_of(whole(engine.pass_time(t_ms + 1)).items)
    assert engine.current is not None
    return Cutting(engine, engine.current, changes)

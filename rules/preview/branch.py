"""A branch: copies of profiles, a cut to another catalogue, the history that a fill brings, and what changes.

The engine does all of it, by the records that `segue apply` would write: the cut, `segue.history` for each subject,
`segue.filled`; here all at the instant of the cut. A cut that wants no history has no fill. Profiles do not depend on
each other, so some of them give the changes that they would give among all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.cut import Cut
from rules.engine.decode import Own
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.past import FILLED_TYPE, HISTORY_TYPE
from rules.engine.plan import Plan
from rules.engine.record import CATALOGUE_TYPE, Decode, Decoded, Record
from rules.engine.wanted import wanted_history
from rules.language.dictionary import Dictionary
from rules.preview.past import Past

GENERATION: Final = "preview"
"""Stands in the ids of changes that nobody publishes."""
FIRST_OFFSET: Final = -(1 << 60)
"""Records of the branch itself come before every record of the log."""


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where an engine stands: its clock, the cuts that profiles may stand under, their catalogues."""

    clock_ms: int
    cuts: tuple[Cut, ...]
    catalogues: Mapping[str, Catalogue]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What a cut to a catalogue does to some profiles."""

    engine: Partition
    """The engine after the fill: all its profiles are visited."""
    plan: Plan
    at_cut: Sequence[AnyChange]
    """Changes of the cut, before any history is filled in."""
    filled: Sequence[AnyChange]
    """Changes of the fill."""

    @property
    def changes(self) -> Sequence[AnyChange]:
        """All changes, in order."""
        return [*self.at_cut, *self.filled]


class _Reader:
    """Decodes the records of a branch: its own by their offset, those of the log as it is told."""

    def __init__(self, decode: Decode | None) -> None:
        self._decode = decode
        self.own = Own("", None)

    def __call__(self, record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
        if record.offset < 0 or self._decode is None:
            return self.own
        decoded = self._decode(record, dictionary, r_ms)
        # the later catalogues of the log are not the branch's; fills of earlier ones are
        named = isinstance(decoded, Own) and decoded.type == CATALOGUE_TYPE
        return Own(CATALOGUE_TYPE, None) if named else decoded


def cut_copies(
    at: Standpoint,
    copies: Mapping[str, bytes],
    to: Catalogue,
    t_ms: int,
    past: Past,
    subjects: Iterable[str],
    decode: Decode | None = None,
) -> Cutting:
    """Cut packed profiles (by subject) to a catalogue at `t_ms`, not before the clock, and fill its history in.

    `subjects`: whose history is filled in. `decode` reads the records of the log that the engine is fed afterwards.
    """
    reader = _Reader(decode)
    engine = Partition(GENERATION, reader, offset=FIRST_OFFSET, clock_ms=at.clock_ms)
    for digest, catalogue in at.catalogues.items():
        engine.give_catalogue(digest, catalogue)
    if at.cuts:
        engine.resume(at.cuts)
    for subject, blob in copies.items():
        engine.give_profile(subject, blob)
    old = engine.current
    whole(engine.pass_time(t_ms))
    whole(engine.cut(to, t_ms))
    at_cut = changes_of(whole(engine.pass_time(t_ms + 1)).items)
    filled: list[AnyChange] = []
    wanted = wanted_history(None if old is None else old.catalogue, to, t_ms)

    def tell(own: Own) -> None:
        reader.own = own
        filled.extend(whole(engine.feed(Record(engine.offset, t_ms, None, None))).changes)

    if wanted:
        for subject in subjects:
            events = past.events_of(subject)
            if events:
                tell(Own(HISTORY_TYPE, {"cut": t_ms, "events": events, "traits": [*wanted.traits]}, subject))
        tell(Own(FILLED_TYPE, {"cut": t_ms, "since": past.since_ms}))
        filled += changes_of(whole(engine.pass_time(t_ms + 1)).items)
    assert engine.current is not None
    return Cutting(engine, engine.current, at_cut, filled)

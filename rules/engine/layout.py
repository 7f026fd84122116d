"""The layout of a packed profile.

It is MessagePack: one array a profile, in the order of `Packed`. Instants are UTC epoch ms, days are UTC epoch days.

    [ LAYOUT, cut (0: that in force when it is read), known_since, born_cut, latest, arrivals, sequence, evaluated,
      [[time, source, id, {trait: value}], …],          the settings, by the event that made them
      [[channel, purpose, [time, source, id, until] of the grant, [time, source, id] of the withdrawal], …],  the latest
      {state key (`rules.conditions.memory`): state},
      {segment: [member, since, last_exit, disarmed, entry mark, exit mark, marked]},   a mark is [time, arrival, cut]
      {segment, or `@` and an activation: wake},
      {identity: day of its record},
      {activation: [active, kind of its last deactivated, told in the version before a pilot]},
      {channel: sequence},
      born after: the length from known_since to R of its first event, which is mostly short; null: not known,
      {ordinal of a cut: {trait: [time, source, id, value]}},         held back until the cut is filled; null: none
      [[time, source, id, canonical], [time, source, id], [alias, …],       its latest link event, its erasure
       [[via, origin, anew, known_since, latest, settings, consents, {state key: state}, {identity: day},
         held back, lacking, [subject between origin and via, …], [key in lacking that a fill brings facts to, …]], …],
        one a part
        {effect: [text, …]},                     pieces that wait
        [tie, …],                                of a page of an organisation's ties; null: it is none
        [[alias, link event, of, activation, arm, arm now, ended], …],       journeys that links moved; null: none
        [[via, to, [origin, …]], …]] ]           facts held until they come another way
    The last field is null where the profile never met a link or an erasure.

Where the last field is given, the facts stand in its parts: the settings, consents, states and identities before it are
empty, and what is evaluated is the join of the parts.

Of a grant and a withdrawal an older version kept the time only; it is read as one without source and id.
Layout 4 ended with the sequences and had no `marked` in a stay. The state of a condition that came in at a cut without
its history had the key of one that has all of it.

Settings, consents and each state stay packed (`Raw`) until somebody asks for them: few events do. What nobody changed
is written as it was. Of a busy profile all states are kept packed, and its identities (`rules.engine.states.Splicer`,
`rules.engine.identities`).

Layouts 2 to 4 are read too (`rules.engine.old_layouts`); what is written has always the newest layout, so a profile
changes over when it is touched.
"""

from typing import Any, Final, TypeAlias

from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from rules.conditions.view import Consents, Grant, Register, Withdrawal
from rules.engine.persons.packed import HeldBack, PackedPerson
from rules.engine.stay import Standing, Stay

LAYOUT: Final = 5
"""Version of the packed layout that is written. 2 to 4 are read too; any other is refused, never guessed at."""
BEFORE: Final = 4
"""The layout before, of which all fields are read as they are."""


FIXED_MAP_MAX: Final = 15
"""MessagePack says in one byte how many entries a map has, if there are no more …"""
MAP_16_MAX: Final = 0xFFFF
"""… and in three, up to this number."""
NO_ENTRIES: Final = Raw(b"\x80")
"""A map without entries."""
IDENTITY_BYTES: Final = 9 + 3
"""Of a packed identity and its day, nearly always (`are_usual`)."""
OFTEN: Final = 8
"""A profile that was packed so often since it was read is busy: from then on what is packed of it is kept. To begin
with that takes about as long as it saves in so many times."""
MANY: Final = 48
"""So many entries are worth to be kept; fewer are packed anew as quickly."""


class Packed(Struct, array_like=True, gc=False):
    """The parts of a packed profile, as they are read and written at once."""

    layout: int
    cut: int
    known_since_ms: int
    born_cut: int
    latest_ms: int
    arrivals: int
    sequence: int
    evaluated_ms: int
    traits: Raw
    consents: Raw
    states: Raw
    stays: dict[str, Stay]
    wakes: dict[str, int]
    seen: Raw
    activations: dict[str, Standing]
    sequences: dict[str, int]
    born_after: int | None = None
    held_back: HeldBack | None = None
    person: PackedPerson | None = None


Settings: TypeAlias = list[tuple[int, str, str, dict[str, Any]]]
"""[(time, source, id, {trait: value}), …]."""

encode: Final = Encoder().encode
_packed: Final = Decoder(Packed).decode
_settings: Final = Decoder(Settings).decode
_states: Final = Decoder(dict[str, Raw]).decode
_identities: Final = Decoder(dict[int, int]).decode
_consents: Final = Decoder(list[tuple[str, str, Grant | int | None, Withdrawal | int | None]]).decode


def decode(blob: bytes) -> Packed:
    """Read a profile in this layout. Raises ValueError: it has another layout, or is none."""
    packed = _packed(blob)
    if packed.layout not in (BEFORE, LAYOUT):
        raise unknown(packed.layout)
    return packed


def pack_traits(traits: dict[str, Register]) -> Raw:
    """Pack settings: those that one event made share its time, source and id."""
    events: dict[tuple[int, str, str], dict[str, Any]] = {}
    for name, (time_ms, source, id_, value) in traits.items():
        events.setdefault((time_ms, source, id_), {})[name] = value
    return Raw(encode([(*event, values) for event, values in events.items()]))


def read_traits(packed: Raw) -> dict[str, Register]:
    """Read what `pack_traits` packed."""
    return {
        name: _register(time_ms, source, id_, value)
        for time_ms, source, id_, values in _settings(packed)
        for name, value in values.items()
    }


def as_registers(packed: HeldBack) -> dict[int, dict[str, Register]]:
    """Read settings that are held back."""
    return {cut: {name: _register(*each) for name, each in held.items()} for cut, held in packed.items()}


def _register(time_ms: int, source: str, id_: str, value: Any) -> Register:
    return Register(time_ms, source, id_, tuple(value) if isinstance(value, list) else value)


def pack_consents(consents: Consents) -> Raw:
    """Pack consents."""
    return Raw(encode([(*key, *times) for key, times in consents.items()]))


def read_consents(packed: Raw) -> Consents:
    """Read what `pack_consents` packed."""
    return {
        (channel, purpose): (
            Grant(grant, "", "", None) if isinstance(grant, int) else grant,
            Withdrawal(withdrawal, "", "") if isinstance(withdrawal, int) else withdrawal,
        )
        for channel, purpose, grant, withdrawal in _consents(packed)
    }


def read_states(packed: Raw) -> dict[str, Raw]:
    """Read states, each still packed."""
    return _states(packed)


def pack_identities(days: dict[int, int]) -> Raw:
    """Pack identities and their days."""
    return Raw(encode(days))


def read_identities(packed: Raw) -> dict[int, int]:
    """Read what `pack_identities` packed."""
    return _identities(packed)


def pack_entries(days: dict[int, int]) -> bytes:
    """Pack identities and their days without what says how many there are (MAP_16_MAX at the most)."""
    return entries_of(pack_identities(days), len(days))


def entries_of(packed: Raw, count: int) -> bytes:
    """Return the entries of a packed map without what says how many there are (MAP_16_MAX at the most)."""
    return bytes(packed)[1 if count <= FIXED_MAP_MAX else 3 :]


def as_map(count: int, entries: bytes) -> Raw:
    """Return the map of packed entries; there are more than FIXED_MAP_MAX of them, and MAP_16_MAX at the most."""
    return Raw(b"\xde" + count.to_bytes(2, "big") + entries)


def is_worth_keeping(packs: int, count: int) -> bool:
    """Tell whether to keep so many entries as they are packed. `packs`: how often they were packed so far."""
    return packs >= OFTEN and MANY <= count <= MAP_16_MAX


def are_usual(days: dict[int, int]) -> bool:
    """Tell whether each identity and its day take IDENTITY_BYTES: MessagePack packs a number as short as it can.

    One identity in 2^32 is shorter; days are longer from 2149 on.
    """
    return not days or (min(days) > 0xFFFF_FFFF and min(days.values()) > 0xFF and max(days.values()) <= 0xFFFF)


def unknown(layout: int) -> ValueError:
    """Return the error that refuses a layout."""
    return ValueError(f"a profile packed in layout {layout}; this version reads 2 to {LAYOUT}")

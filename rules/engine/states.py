"""The states of a profile, by key: each is read when somebody asks for it, and written again only after it changed.

A profile that is busy has hundreds of states, and an event moves two of them. So a state is kept as it is packed until
it is asked for, and what is packed of it is kept until another takes its place.
"""

from collections.abc import Iterator, KeysView, Mapping, MutableMapping
from typing import Final, final, overload

from msgspec import Raw
from msgspec.msgpack import Decoder, Encoder

from rules.conditions.view import State
from rules.engine import layout

_encode: Final = Encoder().encode
_decode: Final = Decoder().decode
_CHANGED: Final = Raw()
"""Stands for a state that changed since it was packed."""


class States(MutableMapping[str, State]):
    """The states of one profile. A state itself is never mutated in place."""

    __slots__ = ("_changed", "_packed", "_packs", "_read", "_splicer")

    def __init__(self, packed: dict[str, Raw] | None = None) -> None:
        """Begin with states as `layout.read_states` returned them; it is taken over. None: begin without any."""
        self._packed: dict[str, Raw] = {} if packed is None else packed
        """Every key, in the order in which they came, with _CHANGED where there is nothing packed."""
        self._read: dict[str, State] = {}
        """Those that somebody asked for, and all that changed since they were packed."""
        self._changed: dict[str, None] = {}
        """Keys of those that changed since they were packed."""
        self._packs = 0
        """How often they were packed since they were read, or since any was taken out."""
        self._splicer: Splicer | None = None
        """What was packed last; None: it was not kept."""

    def __getitem__(self, key: str) -> State:
        if key in self._read:
            return self._read[key]
        state = self._read[key] = _decode(self._packed[key])
        return state

    @overload
    def get(self, key: str, default: None = None, /) -> State | None: ...
    @overload
    def get(self, key: str, default: State, /) -> State: ...
    def get(self, key: str, default: State | None = None, /) -> State | None:
        """Return a state; the default where there is none."""
        read = self._read
        if key in read:
            return read[key]
        packed = self._packed.get(key)
        if packed is None:
            return default
        state = read[key] = _decode(packed)
        return state

    def __setitem__(self, key: str, state: State) -> None:
        self._read[key] = state
        self._packed[key] = _CHANGED
        self._changed[key] = None

    def __delitem__(self, key: str) -> None:
        del self._packed[key]
        self._read.pop(key, None)
        self._changed.pop(key, None)
        self._splicer, self._packs = None, 0

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def keys(self) -> KeysView[str]:
        """Return the keys, in the order in which they came."""
        return self._packed.keys()

    def replace(self, states: Mapping[str, State]) -> None:
        """Hold other states from now on. One that is the very same stays packed as it is."""
        before, read = self._packed, self._read
        self._read = dict(states)
        self._changed = {}
        self._splicer, self._packs = None, 0
        self._packed = {}
        for key, state in states.items():
            if key in read and read[key] is state and before[key] is not _CHANGED:
                self._packed[key] = before[key]
            else:
                self._packed[key] = _CHANGED
                self._changed[key] = None

    def pack(self) -> Raw:
        """Pack them as a map from key to state (MessagePack)."""
        packed, read, changed = self._packed, self._read, self._changed
        for key in changed:
            packed[key] = Raw(_encode(read[key]))
        splicer, self._splicer = self._splicer, None  # should it fail, all are packed at once the next time
        if splicer is not None and len(packed) <= layout.MAP_16_MAX:
            splicer.splice({key: _entry(key, packed[key]) for key in changed})
            whole = layout.as_map(len(packed), splicer.entries)
        else:
            self._packs += 1
            splicer, whole = None, Raw(_encode(packed))
            if layout.is_worth_keeping(self._packs, len(packed)):
                splicer = Splicer(packed, layout.entries_of(whole, len(packed)))
        self._splicer, self._changed = splicer, {}
        return whole


@final
class Splicer:
    """The states of a profile as they were packed last. What did not change since is copied in one piece.

    A profile that is busy is packed at each checkpoint, with hundreds of states of which some changed, and each lies
    anywhere in memory. To begin takes as long as packing several times: most profiles are packed once, and forgotten.
    """

    __slots__ = ("_lengths", "_places", "entries")

    def __init__(self, packed: Mapping[str, Raw], entries: bytes) -> None:
        """Begin with all states; `entries`: as they are packed, one after the other."""
        self.entries = entries
        """Keys and states as they were packed last, one after the other."""
        self._lengths = [len(_encode(key)) + len(state) for key, state in packed.items()]
        """Of each of them, in bytes."""
        self._places = {key: place for place, key in enumerate(packed)}
        """Of each key, among them."""

    def splice(self, changed: Mapping[str, bytes]) -> None:
        """Take in entries that changed, or that are new: these come to the end, in the order in which they stand."""
        self.entries = self._spliced({self._place(key): entry for key, entry in changed.items()})

    def _place(self, key: str) -> int:
        """Find the place of a key; a new one comes to the end."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self._lengths)
            self._lengths.append(0)
        return place

    def _spliced(self, changed: Mapping[int, bytes]) -> bytes:
        """Return the entries with others at some places."""
        before, lengths = self.entries, self._lengths
        pieces: list[bytes] = []
        at = kept = place = 0
        for next_place in sorted(changed):
            at += sum(lengths[place:next_place])
            entry = changed[next_place]
            pieces += (before[kept:at], entry)
            at += lengths[next_place]
            kept, place = at, next_place + 1
            lengths[next_place] = len(entry)
        pieces.append(before[kept:])
        return b"".join(pieces)


def _entry(key: str, state: Raw) -> bytes:
    return _encode(key) + bytes(state)

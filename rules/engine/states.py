"""The states of a profile, by key: each is read when somebody asks for it, and written again only after it changed.

A profile that is busy has hundreds of states, and an event moves two of them. So a state is kept as it is packed until
it is asked for, and what is packed of it is kept until another takes its place.
"""

from collections.abc import Iterator, KeysView, Mapping, MutableMapping
from typing import Final, overload

from msgspec import Raw
from msgspec.msgpack import Decoder, Encoder

from rules.conditions.view import State

_encode: Final = Encoder().encode
_decode: Final = Decoder().decode
_CHANGED: Final = Raw()
"""Stands for a state that changed since it was packed."""


class States(MutableMapping[str, State]):
    """The states of one profile. A state itself is never mutated in place."""

    __slots__ = ("_packed", "_read", "_stale")

    def __init__(self, packed: dict[str, Raw] | None = None) -> None:
        """Begin with states as `pack` returned them; the mapping is taken over. None: begin without any."""
        self._packed: dict[str, Raw] = {} if packed is None else packed
        """Every key, in the order in which they came, with _CHANGED where there is nothing packed."""
        self._read: dict[str, State] = {}
        """Those that somebody asked for, and all that changed since they were packed."""
        self._stale = False
        """Whether any changed since they were packed."""

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
        self._stale = True

    def __delitem__(self, key: str) -> None:
        del self._packed[key]
        self._read.pop(key, None)

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
        self._packed = {
            key: before[key] if key in read and read[key] is state else _CHANGED for key, state in states.items()
        }
        self._stale = True

    def pack(self) -> dict[str, Raw]:
        """Return every state packed (MessagePack). Do not change what is returned."""
        packed = self._packed
        if self._stale:
            for key, one in packed.items():
                if one is _CHANGED:
                    packed[key] = Raw(_encode(self._read[key]))
            self._stale = False
        return packed

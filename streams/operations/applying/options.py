"""What a person may ask of an apply, besides the catalogue. A new option is a field here with its default."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rules.catalogue.applied import GitState
from rules.language.problems import Source
from streams.operations.approving.signed import Signed
from streams.operations.fill import OnShare
from streams.operations.filling.waits import OnWait


def _say_nothing(said: str) -> None:
    """Keep it to oneself."""


def _tell_nobody(partition: int, said: object) -> None:
    """Keep it to oneself."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one apply. Every field has a default: programs that apply a catalogue give what they know."""

    again: bool = False
    """Put it into force again although it is."""
    by: str | None = None
    """Who applies it; None: the login."""
    note: str | None = None
    """Why."""
    git: GitState | None = None
    """The revision of the folder."""
    preview: str | None = None
    """The hash of the preview that this apply is bound to."""
    break_glass: str | None = None
    """Why it is to be applied without the approvals that the policy asks for."""
    over: str | None = None
    """The hash of the catalogue that must be in force; None: any."""
    back: bool = False
    """Whether the catalogue is the one before, as it was applied."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The files as they were written, where no sources hold them."""
    fill: bool = True
    """Whether to fill in the history that new conditions need."""
    on_say: Callable[[str], None] = _say_nothing
    """Is told a sentence for people, before anything is written."""
    on_share: OnShare = _tell_nobody
    """Is told how far filling has come: (partition, share from 0 to 1)."""
    on_wait: OnWait = _tell_nobody
    """Is told (partition, whether filling waits for its worker) when that changes."""
    signed: Signed | None = None
    """The keys and approvals of the folder; None: there are none."""
    sources: Sequence[Source] = ()
    """The files of the folder, with the place of every value; empty where the catalogue came from no folder."""

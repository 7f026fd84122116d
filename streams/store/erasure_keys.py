"""The keys by which profiles of erased people are named, so that no name of them stays (docs/operations/erasure.md).

Such a profile stands under HMAC-SHA256(key, subject). Whoever has the key finds it when the subject is asked for, and
nobody can read the subject out of it. The first key names what is written from now on. All keys are looked for, because
a hash cannot be turned into the hash by another key: the subject would be needed for that.

`meta` keeps the fingerprints of the keys that named a profile of its partition. A process that lacks one of them would
take an erased person for a stranger, so it is refused.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.erasure_settings import ERASURE_KEY, ErasureSettings
from streams.errors import Incident
from streams.secret import SecretUnreadable

LENGTH_MIN: Final = 32
"""Characters of a key. Who has Redis can try subjects against it, so it must not be a word."""
RECIPE: Final = "e1-"
"""How a fingerprint begins: which recipe made it."""
_MARK: Final = b"\0segue/erasure-key"
"""What a fingerprint is the hash of. No subject holds a control character, so it is the hash of no subject."""
MAKE_ONE: Final = "`openssl rand -base64 32` makes one"


@dataclass(frozen=True, slots=True)
class ErasureKeys:
    """The keys, the one that names first. None: profiles of erased people keep their names."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    fingerprints: tuple[str, ...] = field(default=(), init=False)
    """One a key, in their order. They name the keys to a person, and tell nothing of them."""

    def __post_init__(self) -> None:
        found = tuple(RECIPE + _hash(key, _MARK).hex()[:16] for key in self.keys)
        object.__setattr__(self, "fingerprints", found)

    def __bool__(self) -> bool:
        return bool(self.keys)

    @classmethod
    def of(cls, settings: ErasureSettings) -> "ErasureKeys":
        """Read the keys of the settings; blocks for a file. Raises ValueError: `SETTING: what is wrong`, no secret."""
        secret = settings.erasure_secret
        if secret.value and secret.file is not None:
            raise ValueError(f"{ERASURE_KEY}: it is set, and {ERASURE_KEY}_FILE too; set one of them")
        if not secret:
            return NO_KEYS
        try:
            return cls.read(secret.reveal())
        except SecretUnreadable as wrong:
            raise ValueError(str(wrong)) from None

    @classmethod
    def read(cls, text: str) -> "ErasureKeys":
        """Read keys, one a line; lines without text are left out, and a key that stands twice counts once."""
        found: dict[bytes, None] = {}
        for number, line in enumerate(text.splitlines(), 1):
            key = line.strip()
            if key and len(key) < LENGTH_MIN:
                short = f"the key in line {number} has {len(key)} characters, and {LENGTH_MIN} are the least"
                raise ValueError(f"{ERASURE_KEY}: {short}: {MAKE_ONE}")
            if key:
                found[key.encode()] = None
        if not found:
            raise ValueError(f"{ERASURE_KEY}: it holds no key; {MAKE_ONE}, or unset it")
        return cls(tuple(found))

    def names(self, subject: str) -> list[bytes]:
        """Return the names of a subject, one a key: 43 characters of base64url each."""
        data = subject.encode()
        return [urlsafe_b64encode(_hash(key, data))[:-1] for key in self.keys]

    def lacking(self, fingerprints: Collection[str]) -> list[str]:
        """Return which of these fingerprints belong to none of the keys."""
        return [each for each in fingerprints if each not in self.fingerprints]

    def check(self, fingerprints: Collection[str]) -> None:
        """Raise Incident if a key is lacking."""
        lacking = self.lacking(fingerprints)
        if lacking:
            raise Incident(": ".join(told_lacking(lacking)))


NO_KEYS: Final = ErasureKeys()


def told_lacking(fingerprints: Sequence[str]) -> tuple[str, str]:
    """Say which keys are lacking and why that must not be; and what to do."""
    many = len(fingerprints) > 1
    return (
        f"erased people are known in Redis by {'keys' if many else 'a key'} that this process does not have"
        f" ({', '.join(fingerprints)}), so it would take them for strangers",
        f"add {'them' if many else 'it'} to {ERASURE_KEY}, each key in a line of its own",
    )


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")

"""The key of holdouts and arms: a secret that a catalogue names and does not hold (docs/language.md, Assignment key).

policy.yaml names a setting, and the fingerprint of the key that the setting must hold:

    assignment_key: {setting: SEGUE_ASSIGNMENT_KEY, fingerprint: k1-0f3b…}

So the hash of a catalogue covers which key it is, and a worker with another key can tell. Rules read no settings: the
keys are handed in when a catalogue is loaded. Where the key is missing or another, the catalogue loads all the same,
because most of what people do with it needs no key. Only an assignment cannot be computed then, and is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import pbkdf2_hmac
from typing import Annotated, Final, TypeAlias

from rules.language.problems import DefinitionReader
from rules.language.validation import Strict, matching

Keys: TypeAlias = Mapping[str, str]
"""The keys that are known here, by setting."""
SETTING: Final = "SEGUE_ASSIGNMENT_KEY"
SETTING_NAME: Final = rf"^{SETTING}(_[A-Z0-9]+)*$"
"""Other names of the form let two keys stand beside each other, while one catalogue gives way to the next."""
RECIPE: Final = "k1-"
"""How a fingerprint begins: which recipe made it. It also keeps YAML from taking the digits for a number."""
FINGERPRINT_DIGITS: Final = 32
ROUNDS: Final = 100_000
"""Of PBKDF2. A fingerprint stands in git, where everybody may try keys against it: each try takes some 30 ms."""
_SALT: Final = b"segue/assignment-key"


class AssignmentKeyUnknown(ValueError):
    """An assignment was to be computed, and its key is not known here. `setting` names what must hold it."""

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(what)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class AssignmentKey:
    """The key of a policy. `secret` never stands in a message."""

    secret: str | None = field(repr=False)
    """None: it is not known here, and `wrong` says why."""
    setting: str | None
    """The setting that holds it; None: policy.yaml itself does."""
    named_fingerprint: str | None
    """The fingerprint that policy.yaml names; None: policy.yaml holds the key."""
    wrong: str = ""
    """Why the secret is not known here, as a clause."""

    @property
    def fingerprint(self) -> str:
        """Return its fingerprint; where policy.yaml holds the key, it is computed."""
        return self.named_fingerprint or fingerprint_of(self.secret or "")

    @property
    def holds_another(self) -> bool:
        """Tell whether its setting holds another key."""
        return self.secret is None and " holds " in self.wrong

    @property
    def is_plain(self) -> bool:
        """Tell whether policy.yaml holds the key itself."""
        return self.setting is None

    def known(self) -> str:
        """Return the secret. Raises AssignmentKeyUnknown."""
        if self.secret is None:
            raise AssignmentKeyUnknown(self.wrong, self.setting or SETTING)
        return self.secret


class _Reference(Strict):
    setting: Annotated[
        str, matching(SETTING_NAME, f"must be {SETTING}, or that with _ and more of A-Z and 0-9 behind it")
    ]
    fingerprint: Annotated[
        str,
        matching(
            rf"^{RECIPE}[0-9a-f]{{{FINGERPRINT_DIGITS}}}$",
            f"must be {RECIPE} and {FINGERPRINT_DIGITS} of 0-9 and a-f; `segue check` says it of a plain key",
        ),
    ]


@lru_cache(maxsize=64)
def fingerprint_of(secret: str) -> str:
    """Return the fingerprint of a key: it tells keys apart, and nobody computes the key from it."""
    return RECIPE + pbkdf2_hmac("sha256", secret.encode(), _SALT, ROUNDS, FINGERPRINT_DIGITS // 2).hex()


def read_assignment_key(reader: DefinitionReader, keys: Keys) -> AssignmentKey | None:
    """Read `assignment_key`; None if anything is wrong with it, every problem recorded at its place."""
    value = reader.value
    if isinstance(value, str):
        if not value:
            reader.problem("'assignment_key' must not be empty")
            return None
        return AssignmentKey(value, None, None)
    if not isinstance(value, dict):
        reader.problem(f"'assignment_key' must be a mapping like {{setting: {SETTING}, fingerprint: …}}, or a text")
        return None
    reference = reader.model(_Reference)
    if reference is None:
        return None
    return _resolved(reference.setting, reference.fingerprint, keys.get(reference.setting))


def _resolved(setting: str, fingerprint: str, secret: str | None) -> AssignmentKey:
    if not secret:
        wrong = f"{setting} is not set, and policy.yaml names it for the assignment key of fingerprint {fingerprint}"
        return AssignmentKey(None, setting, fingerprint, wrong)
    found = fingerprint_of(secret)
    if found != fingerprint:
        wrong = f"{setting} holds a key of fingerprint {found}, and policy.yaml names the one of {fingerprint}"
        return AssignmentKey(None, setting, fingerprint, wrong)
    return AssignmentKey(secret, setting, fingerprint)

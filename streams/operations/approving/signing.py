"""Ed25519 keys and signatures. Private keys are PEM files that only their owner may read.

The package `cryptography` takes a quarter of a second to load: only the functions that need it import it.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import TYPE_CHECKING, Final

from streams.operations.approving.keys import KEY_PREFIX
from streams.operations.errors import WrongRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_MODE: Final = 0o600
AskPassphrase = Callable[[], str]
"""Asks the person for the passphrase of an encrypted key."""


class KeyUnusable(WrongRequest):
    """The file of a private key cannot be used. `path`: the file."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


def write_new_key(path: Path, passphrase: str = "") -> str:
    """Make a key, write its private half to a new file of mode 0600, and return its public half as text.

    With a passphrase the file is encrypted. Raises KeyUnusable where the file exists or cannot be written: an existing
    key is never replaced.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "wb") as file:
            file.write(text)
    except FileExistsError:
        raise KeyUnusable(path, "exists already; a key is never replaced, give another name") from None
    except OSError as wrong:
        raise KeyUnusable(path, f"cannot be written: {wrong.strerror}") from None
    return public_text(key)


def read_private_key(path: Path, ask: AskPassphrase) -> "Ed25519PrivateKey":
    """Read a private key. Raises KeyUnusable, also where others than its owner may read the file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        mode, text = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError:
        raise KeyUnusable(path, "there is no such file; segue approve --new-key makes one") from None
    except OSError as wrong:
        raise KeyUnusable(path, f"cannot be read: {wrong.strerror}") from None
    if mode & (S_IRWXG | S_IRWXO):
        raise KeyUnusable(path, f"others may read this private key; run `chmod 600 {path}`")
    try:
        key = load_pem_private_key(text, ask().encode() if b"ENCRYPTED" in text else None)
    except ValueError:
        raise KeyUnusable(path, "holds no private key in PEM form, or the passphrase is wrong") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(path, "is not an Ed25519 key; segue approve --new-key makes one")
    return key


def public_text(key: "Ed25519PrivateKey") -> str:
    """Return the public half of a key as keys.yaml has it: `ed25519:` and base64."""
    return KEY_PREFIX + b64encode(key.public_key().public_bytes_raw()).decode()


def sign(key: "Ed25519PrivateKey", text: bytes) -> str:
    """Sign a text; return the signature in base64."""
    return b64encode(key.sign(text)).decode()


def verifies(public: bytes, signature: str, text: bytes) -> bool:
    """Tell whether a signature in base64 is this key's over this text."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(b64decode(signature, validate=True), text)
    except (InvalidSignature, ValueError):
        return False
    return True

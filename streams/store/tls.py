"""TLS towards Redis: which certificates are trusted, which is shown. Files are read anew once they have changed."""

import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from streams.secret import Secret

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, time of change in ns, and size of a file: another stamp means another content."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of one side of TLS. Nothing is read before `context`."""

    cafile: Path | None = None
    """Authorities to trust (PEM); None: those of the system."""
    certfile: Path | None = None
    """The certificate to show (PEM); None: none is shown."""
    keyfile: Path | None = None
    """Its private key; None: it is in `certfile`."""
    key_password: Secret = field(default_factory=lambda: Secret("SEGUE_REDIS_SSL_KEY_PASSWORD"))
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection, made of the files as they are now.

        Raises OSError (with the file's name), ssl.SSLError (their content), SecretUnreadable.
        """
        files = (self.cafile, self.certfile, self.keyfile, self.key_password.file)
        return _context(self, tuple(_stamp(file) for file in files))


def _stamp(file: Path | None) -> Stamp | None:
    if file is None:
        return None
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _context(tls: Tls, _stamps: tuple[Stamp | None, ...]) -> ssl.SSLContext:
    """Make a context. Reading the system's authorities takes 10 ms or more, so it is kept until a stamp changes."""
    context = ssl.create_default_context(cafile=tls.cafile)
    context.check_hostname = tls.check_hostname
    if tls.certfile is not None:
        # without a password OpenSSL would ask for one at the terminal
        context.load_cert_chain(tls.certfile, tls.keyfile, password=tls.key_password.reveal)
    return context

"""TLS to the brokers, from files that may be replaced while the process runs."""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from streams.secret import Secret, SecretUnreadable


class TlsUnusable(Exception):
    """A file of certificates or keys cannot be used. The text names the setting and the file, and says why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a connection's two ends. Without any: the system's authorities, and no certificate of our own."""

    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    key_password: Secret = field(default_factory=lambda: Secret("SEGUE_KAFKA_SSL_KEY_PASSWORD"))
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Make a context from the files as they are now. Blocks for a few ms. Raises TlsUnusable."""
        try:
            made = ssl.create_default_context(cafile=None if self.cafile is None else str(self.cafile))
        except OSError as error:
            raise TlsUnusable(f"SEGUE_KAFKA_SSL_CAFILE: {self.cafile}: {_why(error, 'certificate')}") from None
        made.check_hostname = self.check_hostname
        if self.certfile is not None:
            self._show(made, self.certfile)
        return made

    def expired(self) -> bool:
        """Tell whether our own certificate has expired. False where that cannot be told."""
        from cryptography import x509  # here, for start-up time: it is asked only after a refusal

        try:
            found = x509.load_pem_x509_certificate(b"" if self.certfile is None else self.certfile.read_bytes())
        except (OSError, ValueError):
            return False
        return found.not_valid_after_utc < datetime.now(UTC)

    def _show(self, context: ssl.SSLContext, certfile: Path) -> None:
        try:
            password = self.key_password.reveal()
        except SecretUnreadable as error:
            raise TlsUnusable(str(error)) from None
        keyfile = self.keyfile or certfile
        for setting, file in (("CERTFILE", certfile), ("KEYFILE", keyfile)):
            if problem := _unreadable(file):
                raise TlsUnusable(f"SEGUE_KAFKA_SSL_{setting}: {file}: {problem}")
        try:
            # a password that is asked for on the terminal would hold everything up
            context.load_cert_chain(certfile, self.keyfile, password=lambda: password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                what = f"SEGUE_KAFKA_SSL_KEYFILE: {keyfile}: it is not the key of the certificate in {certfile}"
            elif not password and "PRIVATE KEY" in keyfile.read_text(errors="replace"):
                what = f"SEGUE_KAFKA_SSL_KEY_PASSWORD: it is not set, and the key in {keyfile} may need it"
            elif password:
                what = f"SEGUE_KAFKA_SSL_KEY_PASSWORD: the key in {keyfile} does not open with it"
            else:
                what = f"SEGUE_KAFKA_SSL_CERTFILE: {certfile}: there is no certificate with its key (PEM) in it"
            raise TlsUnusable(what) from None
        except ValueError:
            raise TlsUnusable("SEGUE_KAFKA_SSL_KEY_PASSWORD: it is longer than OpenSSL takes") from None


def _unreadable(file: Path) -> str | None:
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        return error.strerror


def _why(error: OSError, what: str) -> str:
    return f"there is no {what} (PEM) in it" if isinstance(error, ssl.SSLError) else str(error.strerror)

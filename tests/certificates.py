"""Certificates and tokens for tests: an authority of their own, made anew each session, that nothing else trusts."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey, password: str) -> bytes:
    # the broker reads PKCS #8 only
    lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


class Authority:
    """Signs certificates. `file`: its own certificate (PEM)."""

    def __init__(self, folder: Path, name: str = "segue-test-authority") -> None:
        self._folder = folder
        self._subject = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        made = self._builder(self._subject, self._key, now - timedelta(days=2), now + timedelta(days=2))
        self._own = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = self._own.sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def issue(self, common: str, host: str = "", *, expired: bool = False, password: str = "") -> tuple[bytes, bytes]:
        """Issue a certificate; return it and its key (PEM). `host`: a name or an address, or several with commas."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        until = now - timedelta(hours=1) if expired else now + timedelta(days=1)
        builder = self._builder(_name(common), key, now - timedelta(days=1), until)
        if host:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative(one) for one in host.split(",")]), critical=False
            )
        # a server is a client of its peers, too: nodes of a cluster, replicas
        usage = [*([ExtendedKeyUsageOID.SERVER_AUTH] if host else []), ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM), _pem(key, password)

    def write(self, file: Path, common: str, host: str = "", *, expired: bool = False, password: str = "") -> Path:
        """Write a new certificate with its key into one file (PEM)."""
        certificate, key = self.issue(common, host, expired=expired, password=password)
        file.write_bytes(key + certificate)
        return file


class Issuer:
    """Issues tokens (JWT, RS256). `keys`: the file of its public keys (JWKS)."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys = folder / "jwks.json"
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "kid": "test",
            "use": "sig",
            "alg": "RS256",
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }
        self.keys.write_text(json.dumps({"keys": [key]}))

    def token(self, subject: str, audience: str, seconds: float = 3600, **claims: Any) -> str:
        """Issue a token for a subject, to hold for so long."""
        now = int(time.time())
        claims = {"sub": subject, "aud": audience, "iss": "segue-test", "iat": now, "exp": int(now + seconds), **claims}
        parts = ".".join(_bytes(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "test"}, claims))
        return f"{parts}.{_bytes(self._key.sign(parts.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _bytes(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _bytes(value.to_bytes((value.bit_length() + 7) // 8, "big"))

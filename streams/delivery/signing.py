"""Standard Webhooks 1.0.0 (standardwebhooks.com): three headers by which a receiver knows who sent a request, and when.

The `standardwebhooks` package is not used: its one class reads a naive local time as UTC and takes one secret, for
three lines of HMAC. The specification's own vector is a test.

`webhook-id` is the same whenever the same changes are sent again in one request. It is a digest, because the change ids
that it is made of name a profile, and a header is logged by every proxy; a receiver that drops duplicates goes by the
change ids in the body, which stay the same also where a restart cuts the requests in another way.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = (24, 64)
"""Length of a secret that the specification allows."""
_ID_BYTES: Final = 20


def read_secret(text: str) -> bytes:
    """Read a secret: `whsec_` and base64. Raises ValueError, whose text never repeats the secret."""
    encoded = text.removeprefix(PREFIX)
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing secret is whsec_ followed by base64") from None
    if not SECRET_BYTES[0] <= len(secret) <= SECRET_BYTES[1]:
        raise ValueError(f"a signing secret has {SECRET_BYTES[0]} to {SECRET_BYTES[1]} bytes, this one {len(secret)}")
    return secret


def message_id(change_ids: Iterable[str]) -> str:
    """Name a request by its changes: `msg_` and hexadecimal digits. The name holds no dot and no subject."""
    digest = hashlib.sha256("\n".join(change_ids).encode()).digest()
    return "msg_" + digest[:_ID_BYTES].hex()


def sign(secret: bytes, id_: str, timestamp_s: int, body: bytes) -> str:
    """Sign a request with one secret: `v1,` and base64 of the HMAC-SHA256 of `id.timestamp.body`."""
    signed = hmac.new(secret, f"{id_}.{timestamp_s}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def signed_headers(secrets: Sequence[bytes], id_: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Make the headers, with a signature by each secret: a receiver may know the old secret or the new one."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(sign(secret, id_, timestamp_s, body) for secret in secrets),
    }

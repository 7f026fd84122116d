"""Settings of `segue deliver`, from `SEGUE_DELIVER_*` environment variables: one process, one channel, one endpoint.

Credentials stand nowhere else: not on the command line, which other users of a machine see, and not in an address,
which is logged.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.secret import Secret, SecretUnreadable

ShapeName = Literal["standard", "braze", "customerio"]


class DeliverySettings(BaseSettings):
    """May change at a restart. Times in ms."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_DELIVER_", frozen=True, hide_input_in_errors=True)

    url: str = ""
    """Where to deliver: https://…; for a platform its host is enough, the path is known."""
    shape: ShapeName = "standard"
    """The shape that the endpoint takes."""
    secrets: SecretStr = SecretStr("")
    """Signing secrets of `standard`, whsec_… with spaces between: each request is signed with all of them, so that one
    can be replaced without a gap (add the new one, have the receiver take it, remove the old one)."""
    secrets_file: Path | None = None
    """The file that holds them instead; it is read at the start."""
    api_key: SecretStr = SecretStr("")
    """The API key of Braze or of Customer.io."""
    api_key_file: Path | None = None
    """The file that holds it instead; it is read at the start."""
    site_id: str = ""
    """The site id of Customer.io."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's (PEM)."""
    insecure: bool = False
    """Allows http:// beyond this machine, and certificates that cannot be verified. For tests only."""
    changes_max: Annotated[int | None, Field(ge=1)] = None
    """Changes in a request. At most what the platform takes; without it, what the shape usually puts there."""
    body_bytes_max: Annotated[int | None, Field(ge=10_000)] = None
    """Bytes of a request's body. At most what the platform takes."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests at the same time."""
    connect_timeout_ms: Annotated[int, Field(ge=100)] = 5_000
    """For the connection to the endpoint."""
    timeout_ms: Annotated[int, Field(ge=100)] = 20_000
    """From the start of a request to the end of its answer."""
    retry_first_ms: Annotated[int, Field(ge=1)] = 500
    """The first back-off; it doubles, half of it by chance, …"""
    retry_most_ms: Annotated[int, Field(ge=1)] = 60_000
    """… up to this."""
    window_changes_max: Annotated[int, Field(ge=1)] = 5_000
    """Changes in hand: read and not answered. Reading pauses above."""
    window_bytes_max: Annotated[int, Field(ge=1_000_000)] = 32_000_000
    """Bytes in hand, likewise."""
    refused_in_a_row_max: Annotated[int, Field(ge=1)] = 100
    """The deliverer stops after this many refused changes with no accepted one in between: the shape or the endpoint is
    wrong, and the dead-letter topic is no place for a whole channel."""

    @model_validator(mode="before")
    @classmethod
    def _out_of_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in ("secrets", "api_key"):
            file = values.get(f"{name}_file")
            if not file:
                values.pop(f"{name}_file", None)
                continue
            if values.get(name):
                raise ValueError(f"{name}: it is set, and SEGUE_DELIVER_{name.upper()}_FILE too; set one of them")
            try:
                values[name] = Secret(f"SEGUE_DELIVER_{name.upper()}", file=Path(file)).reveal()
            except SecretUnreadable as wrong:
                raise ValueError(f"{name}_file: {str(wrong).partition(': ')[2]}") from None
        return values

    @field_validator("url", "api_key", "site_id", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # a secret that is mounted as a file often ends with a line's end
        bare = value.strip()
        if not bare.isprintable():
            raise ValueError("there is a control character in it")
        return bare

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.url:
            _check_url(self.url, insecure=self.insecure)
        return self


def _check_url(url: str, *, insecure: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url: it cannot be read") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("url: it begins with https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: no user or password in an address; see the settings of the shape")
    if parts.fragment:
        raise ValueError("url: an address to post to has no #…")
    if parts.scheme == "http" and not insecure and not _is_here(host):
        raise ValueError("url: http:// only to this machine; use https:// (or SEGUE_DELIVER_INSECURE=true in a test)")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

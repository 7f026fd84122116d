"""How a process reaches Redis or Valkey and who it is there: the `SEGUE_REDIS_*` variables.

Every secret may stand in a file instead; `…_FILE` names it. `streams/store/access.py` checks which settings belong
together, and docs/operations/securing.md says it to a person.
"""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _none_if_empty(value: object) -> object:
    """Read a variable that is set to nothing as one that is not set."""
    return None if value == "" else value


OptionalPath: TypeAlias = Annotated[Path | None, BeforeValidator(_none_if_empty)]


class RedisSettings(BaseSettings):
    """May change at a restart. The content of files may change at any time: the next connection reads them anew."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True, hide_input_in_errors=True)

    # it may hold a password
    redis_url: Annotated[str, Field(repr=False)] = "redis://127.0.0.1:6379/0"
    """Redis or Valkey, with the number of its database; `rediss://` is TLS. Of a cluster, several nodes with commas
    between: `redis://a:6379,b:6379/0`. Behind Sentinel: `redis+sentinel://a:26379,b:26379/mymaster/0`."""
    redis_username: str = ""
    """The ACL user; without it, the user `default`."""
    redis_password: SecretStr = SecretStr("")
    """The password of that user."""
    redis_password_file: OptionalPath = None
    """The file that holds it instead."""
    redis_ssl_cafile: OptionalPath = None
    """Certificates of authorities (PEM) that the servers' certificates are checked against, instead of the system's."""
    redis_ssl_certfile: OptionalPath = None
    """The certificate (PEM, with those between it and its authority) that this process shows to the servers."""
    redis_ssl_keyfile: OptionalPath = None
    """The private key of that certificate (PEM), where it is in a file of its own."""
    redis_ssl_key_password: SecretStr = SecretStr("")
    """The password of that private key."""
    redis_ssl_key_password_file: OptionalPath = None
    """The file that holds it instead."""
    redis_ssl_check_hostname: bool = True
    """Whether a server's certificate must name the host that was asked for. Turn it off in tests only."""
    redis_sentinels: str = ""
    """Sentinels as `host:port` with commas between, instead of those in SEGUE_REDIS_URL. Of the URL its scheme
    (`redis://`, `rediss://`) and the database count then."""
    redis_sentinel_master: str = ""
    """The name under which the sentinels know the servers."""
    redis_sentinel_username: str = ""
    """The ACL user of the sentinels themselves, where they ask for one."""
    redis_sentinel_password: SecretStr = SecretStr("")
    """The password of that user."""
    redis_sentinel_password_file: OptionalPath = None
    """The file that holds it instead."""
    redis_sentinel_ssl: bool | None = None
    """Whether sentinels are asked over TLS, with the same certificates. Without it: if the servers are."""

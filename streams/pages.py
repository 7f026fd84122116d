"""Pages that a process serves over HTTP."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Page: TypeAlias = Callable[[], tuple[int, Mapping[str, Any]]]
"""Answers a GET with (HTTP status, JSON body)."""

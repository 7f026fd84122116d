"""The version of the engine's own rules: the one number that stands in every catalogue's hash."""

from typing import Final

RULES_VERSION: Final = 4
"""Raise it when the same records and files would give other changes.

A catalogue stored under another version does not load: it has to be applied again, which makes a cut.
"""

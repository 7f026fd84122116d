"""A warning of an apply: it is told, and stops nothing."""

from typing import NamedTuple


class ApplyWarning(NamedTuple):
    """One warning. Holds no personal data."""

    kind: str
    """A code for programs: `without_history`."""
    said: str
    """One sentence for people."""

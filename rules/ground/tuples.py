"""Named tuples on the paths that every event takes."""

from typing import Final

new: Final = tuple.__new__
"""Make a named tuple of all its values, without checks and defaults: half the cost of its own constructor."""

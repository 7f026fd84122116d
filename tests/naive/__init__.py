"""A naive evaluator: what docs/language.md says, computed from the full history at every instant that may matter.

It is the independent half of every comparison: it imports nothing of `rules` or `streams`, keeps no incremental
state and caches no verdict. What it remembers of a profile is what was published (stays, exits, marks, arming).
Where the text leaves room, README.md beside this file says which reading was taken.
"""

from tests.naive.reading import Catalogue, read_folder
from tests.naive.replay import Cut, Replayed, replay

__all__ = ["Catalogue", "Cut", "Replayed", "read_folder", "replay"]

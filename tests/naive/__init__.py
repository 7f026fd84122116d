"""A naive evaluator: what docs/language.md says, computed from the full history at every instant that may matter.

It is the independent half of every comparison: it imports nothing from `rules` or `streams`, keeps no incremental
state and caches no verdict. It remembers only the published state of a profile: stays, exits, marks, arming.
Where the text of the language leaves room, README.md beside this file names the reading taken here.
"""

from tests.naive.reading import Catalogue, read_folder
from tests.naive.replay import Cut, Replayed, replay

__all__ = ["Catalogue", "Cut", "Replayed", "read_folder", "replay"]

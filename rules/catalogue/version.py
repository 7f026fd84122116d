"""The version of the engine's own rules: the one number that stands in every catalogue's hash."""

from typing import Final

RULES_VERSION: Final = 5
"""Raise it when the same records and files would give other changes, or when the formula of the hash changes.

A catalogue stored under another version does not load: it has to be applied again, which makes a cut.
"""
SAME_MEANING: Final = frozenset({3, 4})
"""Older versions whose catalogues give the same changes under this engine. They load under the hash that they have.

So a deployment is upgraded without a new generation. Empty it when the meaning changes. 3: the hash was of the files as
they are written; there were no templates and no pilots. 4: there were no links and no erasures.
"""

"""The revision of git that a catalogue's folder stands at, asked of the program `git`. Nothing is written."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rules.catalogue.applied import GitState

GIT_S: Final = 10
"""How long git may take to answer; a repository on a network drive may be slow."""


def git_state(folder: Path, files: Iterable[str]) -> GitState | None:
    """Return the revision of a folder and whether its files are as the revision has them; blocks.

    `files`: the names of the catalogue's files, relative to the folder. None: the folder is in no repository, the
    repository has no commit, or git is not there or does not answer.
    """
    revision = _git(folder, "rev-parse", "--verify", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    tracked = _git(folder, "ls-files", "-z", "--", ".")
    if revision is None or changed is None or tracked is None:
        return None
    return GitState(revision.strip(), not changed.strip() and set(files) <= set(tracked.split("\0")))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        # --no-optional-locks: only look, also beside a git that works there
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            timeout=GIT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None

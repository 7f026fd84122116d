"""The revision that a folder stands at, as git tells it."""

import subprocess
from pathlib import Path

import pytest

from streams.operations.applying.git import git_state

FILES = ("dictionary.yaml", "segments/a.yaml")


def git(folder: Path, *arguments: str) -> str:
    person = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue's folder inside a repository, committed."""
    made = tmp_path / "repository" / "catalogue"
    (made / "segments").mkdir(parents=True)
    for name in FILES:
        (made / name).write_text("{}\n")
    git(made.parent, "init", "-q")
    git(made.parent, "add", ".")
    git(made.parent, "commit", "-q", "-m", "first")
    return made


def test_a_committed_folder_is_clean_at_its_revision(folder: Path) -> None:
    state = git_state(folder, FILES)
    assert state is not None
    assert (state.revision, state.clean) == (git(folder, "rev-parse", "HEAD"), True)


@pytest.mark.parametrize("name", ["segments/a.yaml", "segments/b.yaml"])
def test_a_file_that_was_edited_or_never_added_makes_the_folder_unclean(folder: Path, name: str) -> None:
    (folder / name).write_text("other: 1\n")
    state = git_state(folder, {*FILES, name})
    assert state is not None
    assert not state.clean


def test_a_file_that_git_ignores_makes_the_folder_unclean(folder: Path) -> None:
    (folder.parent / ".git" / "info" / "exclude").write_text("b.yaml\n")
    (folder / "segments" / "b.yaml").write_text("other: 1\n")
    state = git_state(folder, (*FILES, "segments/b.yaml"))
    assert state is not None
    assert not state.clean


def test_a_change_outside_the_folder_leaves_it_clean(folder: Path) -> None:
    (folder.parent / "notes.txt").write_text("x")
    state = git_state(folder, FILES)
    assert state is not None
    assert state.clean


def test_a_folder_without_a_repository_has_no_revision(tmp_path: Path) -> None:
    assert git_state(tmp_path, ()) is None


def test_a_machine_without_git_has_no_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(folder, FILES) is None

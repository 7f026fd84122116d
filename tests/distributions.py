"""Build a distribution as a user builds it, and install its wheel into an empty environment, without any network.

The packages that a wheel needs are copied from the environment that the tests run in (those of the lock file), and only
those: a package that a wheel does not ask for is not there.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BUILT_FROM = ("pyproject.toml", "README.md", "rules", "streams")
"""What the image copies, too (deploy/Dockerfile)."""


def sources() -> list[str]:
    """List the files of the tree that distributions are built from: those of Git, and new ones that it would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *BUILT_FROM]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def copy_sources(folder: Path) -> Path:
    """Copy these files, so that a build leaves nothing in the tree. Returns the copy's root."""
    for name in sources():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def build_wheel(project: Path, folder: Path) -> Path:
    """Build a project's wheel into a folder. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, project)
    [wheel] = folder.glob("*.whl")
    return wheel


def build_sdist(project: Path, folder: Path) -> Path:
    """Build a project's source distribution into a folder. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    _run(sys.executable, "-c", code, folder, cwd=project)
    [sdist] = folder.glob("*.tar.gz")
    return sdist


def make_environment(folder: Path, wheel: Path) -> Path:
    """Install a wheel, and what it asks for, into a new environment. Returns the environment's Python."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _pip("--python", python, "install", "--no-deps", wheel)
    [site] = folder.glob("lib/python*/site-packages")
    [installed] = distributions(path=[str(site)])
    for needed in _needed(installed):
        _copy(needed, site)
    _pip("--python", python, "check")
    return python


def _needed(asking: Distribution) -> Iterable[Distribution]:
    """Find the distributions that one asks for, and those that they ask for."""
    found: dict[str, Distribution] = {}
    left = list(_requirements(asking, ()))
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        known = name in found
        needed = found.setdefault(name, distribution(name))
        # a known one again only for what it asks for with these extras
        left += _requirements(needed, requirement.extras) if requirement.extras or not known else ()
    return found.values()


def _requirements(asking: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    for text in asking.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _copy(installed: Distribution, site: Path) -> None:
    for file in installed.files or ():
        source = Path(str(installed.locate_file(file)))
        if ".." not in file.parts and source.is_file():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, site / file)


def _pip(*arguments: object) -> None:
    _run(sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments, cwd=ROOT)


def _run(*command: object, cwd: Path) -> None:
    done = subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

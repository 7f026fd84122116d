"""Both distributions, built from the tree, installed into empty environments: what they hold, and that they run."""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from streams import client
from tests.distributions import ROOT, build_sdist, build_wheel, copy_sources, make_environment, sources

CLIENT = "streams/client/"
NOT_INSTALLED = {f"{CLIENT}pyproject.toml", f"{CLIENT}README.md"}
"""Files of the other distribution."""


def project(folder: str) -> dict[str, object]:
    read: dict[str, object] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return read


def run(*command: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False)


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def segue_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segue-wheel")
    return build_wheel(copy_sources(folder / "tree"), folder / "dist")


# --- the client


def test_the_client_is_the_modules_of_its_folder_and_typed(client_wheel: Path) -> None:
    held = contents(client_wheel)
    expected = {
        name.removeprefix(CLIENT): (ROOT / name).read_bytes()
        for name in sources()
        if name.startswith(CLIENT) and name not in NOT_INSTALLED
    }
    assert held == {f"segue_client/{name}": content for name, content in expected.items()}
    assert "py.typed" in expected


def test_the_clients_source_distribution_builds_the_same_wheel(client_wheel: Path, tmp_path: Path) -> None:
    sdist = build_sdist(copy_sources(tmp_path / "tree") / CLIENT, tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    assert contents(build_wheel(unpacked, tmp_path / "dist")) == contents(client_wheel)


def test_where_the_client_is_installed_nothing_else_of_segue_is(client_python: Path, tmp_path: Path) -> None:
    code = (
        "from importlib.util import find_spec as find\n"
        "import segue_client\n"
        "print(*(name for name in ('streams', 'rules', 'faust', 'redis', 'pydantic', 'aiohttp') if find(name)))\n"
        "print(*(name for name in segue_client.__all__ if hasattr(segue_client, name)))\n"
    )
    done = run(client_python, "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n" + " ".join(client.__all__) + "\n"


def test_the_clients_page_names_all_of_its_api() -> None:
    page = (ROOT / CLIENT / "README.md").read_text()
    missing = [name for name in client.__all__ if not re.search(rf"`{name}\b", page)]
    assert missing == []
    values = (client.Change, client.Content, client.Reason, client.Standing, client.ActiveKey, client.Position)
    fields = [name for value in values for name in value.__annotations__]
    assert [name for name in fields if f"`{name}`" not in page] == []


def test_platforms_are_checked_against_the_clients_types(client_python: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\n[mypy-aiokafka.*]\nignore_missing_imports = true\n")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from segue_client import Position\n\nPosition('first', 0)\n")
    platform = ROOT / "streams" / "example" / "email_platform.py"
    command = (sys.executable, "-m", "mypy", "--config-file", settings, "--python-executable", client_python)
    done = run(*command, platform, wrong, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        'wrong.py:3: error: Argument 1 to "Position" has incompatible type "str"; expected "int"  [arg-type]',
        "Found 1 error in 1 file (checked 2 source files)",
    ]


# --- Segue


def test_segue_holds_all_files_of_its_packages(segue_wheel: Path) -> None:
    held = set(contents(segue_wheel))
    assert held == {name for name in sources() if name.startswith(("rules/", "streams/"))} - NOT_INSTALLED


def test_segue_runs_where_only_its_wheel_is_installed(segue_wheel: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "venv", segue_wheel)
    segue = python.parent / "segue"
    assert "segue check" in run(segue, "--help", cwd=tmp_path).stdout
    told = run(segue, "--version", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert str(project(".")["version"]) in told.stdout
    [catalogue] = (tmp_path / "venv").glob("lib/python*/site-packages/streams/example/catalogue")
    done = run(segue, "check", catalogue, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# --- both


def test_both_distributions_are_one_version_and_pin_one_aiokafka() -> None:
    segue, apart = project("."), project(CLIENT)
    assert segue["version"] == apart["version"]
    assert segue["requires-python"] == apart["requires-python"]
    assert isinstance(segue["dependencies"], list)
    assert isinstance(apart["dependencies"], list)
    pinned = [
        next(each for each in found if each.startswith("aiokafka"))
        for found in (segue["dependencies"], apart["dependencies"])
    ]
    assert len({each.partition("==")[2] for each in pinned}) == 1
    assert {each for each in apart["dependencies"] if not each.startswith("aiokafka")} <= set(segue["dependencies"])

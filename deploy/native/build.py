"""Compile the rule engine (mypyc): `make native`, or for an image `python deploy/native/build.py --into FOLDER`.

Needs a C compiler and mypy (requirements.lock). Copies `rules` into the folder, and compiles there the modules that
rules/compiled.txt names: those on an event's way. Models of pydantic and msgspec must stay Python.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from streams import native  # noqa: E402 - this file is no package

OPTIONS = """
[mypy]
strict = True
python_version = {major}.{minor}
plugins = pydantic.mypy
warn_unused_ignores = False
[mypy-re2.*]
ignore_missing_imports = True
"""
SETUP = """
from mypyc.build import mypycify
from setuptools import setup

setup(
    name="rules",
    packages=[],
    ext_modules=mypycify(
        ["--config-file", "mypy.ini", *{modules!r}], opt_level="3", debug_level="0", group_name="segue_engine"
    ),
)
"""


def compiler() -> str | None:
    """Name the C compiler that setuptools would call; None: there is none."""
    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(named.split()[0])


def build(into: Path) -> None:
    """Compile, and put `rules` into a folder. Raises SystemExit: the compiler refuses."""
    modules = (ROOT / native.MODULES).read_text().split()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "rules", folder / "rules", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        version = sys.version_info
        (folder / "mypy.ini").write_text(OPTIONS.format(major=version.major, minor=version.minor))
        (folder / "setup.py").write_text(SETUP.format(modules=modules))
        command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        environment = {**os.environ, "PYTHONPATH": "", "CFLAGS": os.environ.get("CFLAGS", "-g0 -w")}
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{done.stdout}\nThe rules could not be compiled: see above. Python runs them")
        shutil.rmtree(folder / "build")
        for made in ("setup.py", "mypy.ini"):
            (folder / made).unlink()
        shutil.rmtree(folder / ".mypy_cache", ignore_errors=True)
        into.parent.mkdir(parents=True, exist_ok=True)
        if into.exists():
            shutil.copytree(folder, into, dirs_exist_ok=True)
        else:  # there is all of it, or nothing
            half = into.with_name(f"{into.name}.{os.getpid()}")
            shutil.copytree(folder, half)
            half.rename(into)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, help="the folder that gets rules/; default: where this checkout looks")
    into: Path | None = parser.parse_args().into
    folder = native.home_of(ROOT) if into is None else into
    if into is None and folder.is_dir():
        print("The engine of this source is compiled already")
        return 0
    if compiler() is None:
        print("There is no C compiler (on Debian and Ubuntu: apt-get install gcc; on macOS: xcode-select --install)."
              " Without one Python runs the rules: the same, and slower", file=sys.stderr)  # fmt: skip
        return 1
    print("Compiling the rule engine, some minutes", flush=True)
    build(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

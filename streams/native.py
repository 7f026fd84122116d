"""The rule engine as machine code, where it was compiled (deploy/native/build.py): the same source, through mypyc.

It stands apart from the source, in a folder that is named after it, so that what is run is never older than what is
read. Where there is none, Python runs the source. In an image it stands in the source's own place.
"""

import os
import sys
import sysconfig
from hashlib import blake2b
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
"""Where `rules` and `streams` stand."""
VARIABLE: Final = "SEGUE_NATIVE"
"""0: let Python run the source; 1: end where the engine is not compiled; not set: whichever is there."""
MODULES: Final = "rules/compiled.txt"
"""Names the modules that are compiled, by their files."""
NAMED: Final = "rules/engine/partition"
"""A module that is compiled, if any is."""


class NotCompiled(RuntimeError):
    """SEGUE_NATIVE=1 asks for a compiled engine, and there is none of this source for this Python."""


def home_of(root: Path) -> Path:
    """Name the folder for the compiled engine of the source under `root`, for the Python that runs."""
    source = blake2b(digest_size=8)
    for file in [*sorted((root / "rules").rglob("*.py")), root / MODULES]:
        source.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return root / ".cache" / "native" / f"{source.hexdigest()}-{sysconfig.get_config_var('SOABI')}"


def compiled_in() -> Path | None:
    """Find the folder where the rules of this source are compiled, if SEGUE_NATIVE does not forbid it."""
    if os.environ.get(VARIABLE) == "0" or not (ROOT / ".cache" / "native").is_dir():
        return None
    found = home_of(ROOT)
    return found if (found / f"{NAMED}{sysconfig.get_config_var('EXT_SUFFIX')}").is_file() else None


def use() -> None:
    """Have `rules` imported from where it is compiled, unless it was imported already. Raises NotCompiled."""
    wish = os.environ.get(VARIABLE, "")
    found = None if "rules" in sys.modules else compiled_in()
    if found is not None:
        sys.path.insert(0, str(found))
        import rules  # noqa: F401 - all its modules are looked for where it was found
    elif wish == "1" and "rules" not in sys.modules and not is_built_in():
        raise NotCompiled(f"{VARIABLE}=1, but the rules of this source are not compiled for this Python: make native")


def is_built_in() -> bool:
    """Tell whether the engine is compiled in the source's own place, as in an image."""
    return (ROOT / f"{NAMED}{sysconfig.get_config_var('EXT_SUFFIX')}").is_file()


def engine() -> str:
    """Say what the rules are here: `compiled` or `interpreted`."""
    from rules.engine import partition

    return "interpreted" if str(partition.__file__).endswith(".py") else "compiled"

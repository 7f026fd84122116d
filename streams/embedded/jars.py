"""Jars: a lock file names them, jgo downloads them, a cache keeps them. Apache Kafka's lock file is in this folder.

The cache is `<cache>/jars`; <cache> is SEGUE_CACHE_DIR, or `segue` in XDG_CACHE_HOME, or `~/.cache/segue`. All
checkouts share it. A jar is moved into it only when it is whole and has the sha256 of the lock file, and is compared
again at every set-up. jgo downloads from the repositories that its own settings name. `python -m streams.embedded lock`
resolves KAFKA_VERSION anew and writes the lock file.
"""

import hashlib
import os
import shutil
import ssl
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streams.embedded.errors import EmbeddedError, NotInstalled, OnStep

KAFKA_VERSION: Final = "4.2.1"
"""Not 4.3.0 to 4.4.0: they lose the markers of transactions that end while a partition has no leader (KAFKA-20734).

The restart of a single broker makes that likely. Readers of committed records then wait for ever.
"""
LOCK_FILE: Final = Path(__file__).with_name("jgo.lock.toml")
_DOWNLOADS_AT_ONCE: Final = 6
_TRIES: Final = 3
_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the lock: Maven coordinates and sha256 in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """File name, unique within the lock."""
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file in jgo's format."""

    what: str
    """Whose jars they are, for messages."""
    file: Path


KAFKA: Final = Lock(f"Apache Kafka {KAFKA_VERSION}", LOCK_FILE)


def cache_folder() -> Path:
    """Return the folder for downloads; it may not exist yet."""
    named = os.environ.get("SEGUE_CACHE_DIR")
    if named:
        return Path(named)
    general = os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "segue"


def locked(lock: Lock = KAFKA) -> tuple[Jar, ...]:
    """Return the jars of a lock file, in its order."""
    with lock.file.open("rb") as file:
        found = tomllib.load(file)
    return tuple(Jar(d["groupId"], d["artifactId"], d["version"], d["sha256"]) for d in found["dependencies"])


def classpath(on_step: OnStep, lock: Lock = KAFKA) -> list[Path]:
    """Return the paths of all locked jars, verified. Downloads jars that are missing or damaged (Kafka's: 45 MB)."""
    folder = cache_folder() / "jars"
    jars = locked(lock)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [jar for jar in jars if not _intact(folder / jar.name, jar)]
        if missing:
            _download(missing, folder, on_step, lock)
    except OSError as error:
        raise EmbeddedError(
            f"{lock.what}: its jars cannot be kept in {folder}: {error.strerror or error}; "
            f"name another folder in SEGUE_CACHE_DIR"
        ) from error
    return [folder / jar.name for jar in jars]


def _intact(path: Path, jar: Jar) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def _download(jars: list[Jar], folder: Path, on_step: OnStep, lock: Lock) -> None:
    on_step(f"{lock.what}: {len(jars)} jars to download")
    with tempfile.TemporaryDirectory(prefix="incoming-", dir=folder.parent) as incoming:
        context = maven(Path(incoming))
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            tasks = [pool.submit(_fetch, context, jar, folder, lock) for jar in jars]
            try:
                for done, task in enumerate(as_completed(tasks), 1):
                    task.result()
                    if done % 10 == 0 or done == len(jars):
                        on_step(f"{lock.what}: {done} of {len(jars)} jars")
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def maven(repo_cache: Path) -> Any:
    """Return jgo's way to the repositories that its settings name. Raises NotInstalled."""
    try:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise NotInstalled("jgo") from error
    # jgo's HTTP client has its own list of certificates; only the machine's list knows a company's proxy
    machine_list = ssl.get_default_verify_paths().cafile
    if machine_list is not None:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", machine_list)
    mirrors = GlobalSettings.load().repositories
    return MavenContext(
        resolver=PythonResolver(), repo_cache=repo_cache, remote_repos=mirrors or None, timeout=_TIMEOUT_S
    )


def _fetch(context: Any, jar: Jar, folder: Path, lock: Lock) -> None:
    import requests

    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(packaging="jar")
    trouble = ""
    for _ in range(_TRIES):
        try:
            path = Path(artifact.resolve())
            if _intact(path, jar):
                shutil.move(path, folder / jar.name)
                return
            trouble = f"its sha256 is not the one in {lock.file.name}"
        except requests.RequestException as error:
            # the text of the error names hosts and addresses; its type says enough
            trouble = f"{type(error).__name__}; is there a network?"
        except RuntimeError:
            trouble = "the repository does not have it"
        artifact.cached_path.unlink(missing_ok=True)
    raise EmbeddedError(f"cannot download {jar.name} of {lock.what}: {trouble}")


def write_lock() -> None:
    """Resolve KAFKA_VERSION anew and write the lock file. For maintainers; downloads everything."""
    with tempfile.TemporaryDirectory() as scratch:
        context = maven(Path(scratch))
        broker = context.create_dependency(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}")
        first, others = context.resolver.resolve([broker])
        artifacts = [d.artifact for d in [*first, *others] if d.scope in (None, "compile", "runtime")]
        # the broker logs nothing without a binding, and does not depend on one; resolved together with the broker, the
        # binding would change the versions of other jars
        core = next(a for a in artifacts if a.artifactId == "log4j-core")
        artifacts.append(context.project(core.groupId, "log4j-slf4j-impl").at_version(core.version).artifact())
        write_locked(KAFKA, artifacts, "Written by `make lock`.")


def write_locked(lock: Lock, artifacts: Iterable[Any], note: str) -> None:
    """Write a lock file of jgo's artifacts. Downloads them."""
    jars = sorted(
        (a.groupId, a.artifactId, a.version, hashlib.sha256(Path(a.resolve()).read_bytes()).hexdigest())
        for a in artifacts
    )
    names = {f"{artifact}-{version}" for _, artifact, version, _ in jars}
    assert len(names) == len(jars), "two jars of one name"
    lines = [f"# {lock.what}'s jars with their sha256, in jgo's lock format. {note}"]
    for group, artifact, version, sha256 in jars:
        lines += ["", "[[dependencies]]", f'groupId = "{group}"', f'artifactId = "{artifact}"']
        lines += [f'version = "{version}"', 'packaging = "jar"', f'sha256 = "{sha256}"']
    lock.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

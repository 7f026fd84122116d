"""The peers in Python are what the registry says, and their packages are pinned."""

import re
from pathlib import Path

import pytest

from tests.benchmarks.peers.python import peers
from tests.benchmarks.peers.python.peers import PYTHON_PEERS, PythonPeer
from tests.benchmarks.peers.registry import ENGINES

FOLDER = Path(__file__).parent


def test_every_framework_comes_in_two_designs_of_modules_that_exist() -> None:
    assert {peer.name for peer in PYTHON_PEERS} == {
        f"{framework}-{design}" for framework in ("lua", "faust", "quix", "bytewax") for design in ("idiomatic", "best")
    }
    for peer in PYTHON_PEERS:
        module = peer.command[-2].rpartition(".")[2]
        assert (FOLDER / f"{module}.py").exists()
        assert ENGINES[peer.name] is peer


@pytest.mark.parametrize("peer", PYTHON_PEERS, ids=lambda peer: peer.name)
def test_a_peer_without_its_packages_says_so(peer: PythonPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PYTHON", tmp_path / "python")
    own = peer.name.startswith("lua-")
    assert peer.absent() == (None if own else "its packages are not installed: make peers")


def test_the_peers_packages_are_pinned_with_hashes_and_name_no_host() -> None:
    text = (FOLDER / "requirements.txt").read_text()
    assert "://" not in text
    lines = text.replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    pinned = {line.partition("==")[0].partition("[")[0] for line in entries}
    assert {"aiokafka", "bytewax", "faust-streaming", "quixstreams", "redis", "rocksdict"} <= pinned
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9.-]+(\[[^]]*\])?==\S+( ; [^\"-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), (
            entry
        )

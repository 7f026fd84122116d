"""An environment with the client and nothing else of Segue, made once a session."""

from pathlib import Path

import pytest

from tests.distributions import build_wheel, copy_sources, make_environment


@pytest.fixture(scope="session")
def client_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `segue-client`."""
    folder = tmp_path_factory.mktemp("client-wheel")
    return build_wheel(copy_sources(folder / "tree") / "streams" / "client", folder / "dist")


@pytest.fixture(scope="session")
def client_python(client_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with that wheel, aiokafka and orjson installed."""
    return make_environment(tmp_path_factory.mktemp("client") / "venv", client_wheel)

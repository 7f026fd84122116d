"""The version that runs."""

from importlib.metadata import PackageNotFoundError, version


def segue_version() -> str:
    """Return the version of Segue that runs."""
    try:
        return version("segue")
    except PackageNotFoundError:
        return "unknown"

"""Words with their numbers."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 record`, `1,200 records`; `plural` where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"

"""A finding: what is wrong with a server or a topic, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. `fatal`: no worker may start; otherwise it is advice. Holds no personal data."""

    where: str
    what: str
    remedy: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"

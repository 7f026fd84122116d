"""Events that make persons of several subjects: facts of both subjects, links, and links that are taken back.

Person n has the canonical subject `hcp:p…` and the alias `crm:p…`. The alias has one event of the type MARKER, which
makes it a member of MARKER_SEGMENT; the canonical subject has traits. So a link moves the membership from the alias to
the canonical subject, and taking it back moves it again: two changes each.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from time import gmtime, strftime
from typing import Any, Final

from rules.language.dictionary import LINKED, UNLINKED
from tests.benchmarks.load.events import Made
from tests.benchmarks.load.plan import MARKER, TOPICS, TRAIT_VALUES, TRAITS, UPDATED

SOURCE: Final = "/mdm"


def canonical(person: int) -> str:
    """Return the subject for which the other one is to stand."""
    return f"hcp:p{person:07d}"


def alias(person: int) -> str:
    """Return the other subject."""
    return f"crm:p{person:07d}"


def facts(persons: Iterable[int], at_ms: int) -> Iterator[Made]:
    """Make what is known of each person before any link: one event of each subject."""
    for n in persons:
        traits = {trait: f"v{(n * 31 + place * 17) % TRAIT_VALUES:02d}" for place, trait in enumerate(TRAITS)}
        yield made(f"t{n}", UPDATED, canonical(n), at_ms, traits)
        yield made(f"m{n}", MARKER, alias(n), at_ms, {"topic": TOPICS[0], "score": 1.0, "page": "/probe"})


def links(persons: Iterable[int], at_ms: int, name: str = "l") -> Iterator[Made]:
    """Make a link of each person. `name` begins the ids."""
    for n in persons:
        yield made(f"{name}{n}", LINKED, alias(n), at_ms, {"canonical": canonical(n)})


def unlinks(persons: Iterable[int], at_ms: int, name: str = "u") -> Iterator[Made]:
    """Take each person's link back."""
    for n in persons:
        yield made(f"{name}{n}", UNLINKED, alias(n), at_ms, {})


def with_links(stream: Iterable[Made], every: int, name: str, *, first: int = 0) -> Iterator[Made]:
    """Replace one event in so many by the link of the next person. Its id ends with its place in the stream."""
    persons = count(first)
    for place, one in enumerate(stream):
        if place % every == every - 1:
            n = next(persons)
            yield made(f"{name}{place}", LINKED, alias(n), one.time_ms, {"canonical": canonical(n)})
        else:
            yield one


def made(id_: str, type_: str, subject: str, at_ms: int, data: dict[str, Any]) -> Made:
    """Write one event."""
    second, ms = divmod(at_ms, 1_000)
    event = {
        "specversion": "1.0",
        "id": f"evt-{id_}",
        "source": SOURCE,
        "type": type_,
        "subject": subject,
        "time": f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(second))}.{ms:03d}Z",
        "data": data,
    }
    return Made(subject, json.dumps(event, separators=(",", ":")).encode(), at_ms)

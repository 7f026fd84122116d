"""Events of an organisation that many people are tied to, and probes of other profiles among them.

Person n is `hcp:q…`, tied to ORGANISATION as a prescriber. What the organisation is told reaches each of them, and
moves the membership in TOLD_SEGMENT: in with the status `covered`, out with any other. A probe is one event of a
profile of its own, which makes it a member of MARKER_SEGMENT: probes show how long other profiles wait.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rules.language.dictionary import STARTED
from tests.benchmarks.load import persons
from tests.benchmarks.load.events import Made
from tests.benchmarks.load.plan import MARKER, TOPICS

ORGANISATION: Final = "payer:1"
CHANGED: Final = "formulary.changed"
TOLD: Final = "plan.formulary_changed"
TOLD_SEGMENT: Final = "told-covered"
SOURCE: Final = persons.SOURCE
"""Of the organisation's events, the ties, and the probes."""
TOLD_NAME: Final = "told-"
"""Begins the names of the organisation's events; a name is an id without `evt-`."""
PROBE_NAME: Final = "probe-"
"""Begins the names of probes; the place in the stream follows."""


def person(n: int) -> str:
    """Return the subject of a person."""
    return f"hcp:q{n:07d}"


def with_telling(texts: dict[str, str]) -> dict[str, str]:
    """Add to the files of a catalogue what the organisation tells, and the segment that it moves."""
    dictionary = json.loads(texts["dictionary.yaml"])
    status = {"status": {"type": "string"}}
    dictionary["events"] |= {
        CHANGED: {"data": status, "reaches": {"roles": ["prescriber"], "as": TOLD}},
        TOLD: {"data": {"organisation": {"type": "string"}, **status}},
    }
    segment = {
        "segment": TOLD_SEGMENT,
        "version": 1,
        "status": "approved",
        "enter": {"last": TOLD, "is": {"status": {"equals": "covered"}}},
    }
    return texts | {
        "dictionary.yaml": json.dumps(dictionary),
        f"segments/{TOLD_SEGMENT}.yaml": json.dumps(segment),
    }


def ties(people: Iterable[int], at_ms: int) -> Iterator[Made]:
    """Make the tie of each person."""
    for n in people:
        yield _made(f"tie-{n}", STARTED, person(n), at_ms, {"organisation": ORGANISATION, "role": "prescriber"})


def told(name: str, status: str, at_ms: int) -> Made:
    """Make an event of the organisation; its name is `told-` and `name`."""
    return _made(f"{TOLD_NAME}{name}", CHANGED, ORGANISATION, at_ms, {"status": status})


def with_probes(stream: Iterable[Made], every: int, told_at: int, name: str, status: str) -> Iterator[Made]:
    """Replace one event in so many by a probe, and the one at a place by an event of the organisation."""
    for place, one in enumerate(stream):
        if place == told_at:
            yield told(name, status, one.time_ms)
        elif place % every == every - 1:
            data = {"topic": TOPICS[0], "score": 1.0, "page": "/probe"}
            yield _made(f"{PROBE_NAME}{place}", MARKER, f"visitor:{name}-{place}", one.time_ms, data)
        else:
            yield one


def _made(name: str, type_: str, subject: str, at_ms: int, data: dict[str, Any]) -> Made:
    return persons.made(name, type_, subject, at_ms, data)

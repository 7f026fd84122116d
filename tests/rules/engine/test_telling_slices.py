"""What one record tells stays small, however large the fact is, and everybody is told once."""

import json
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from rules.engine.affiliations.pages import PAGE_MAX
from rules.engine.affiliations.remote import TOLD_BYTES_MAX
from rules.engine.outcome import whole
from rules.engine.partition import Partition
from rules.engine.persons.effects import REACHED_TYPE, Effect
from rules.engine.record import Record
from streams.intake.decoding import decoder_of
from tests.transcripts.implementations import compiled

FILES: Final[dict[str, Any]] = {
    "dictionary.yaml": {
        "events": {
            "change": {"data": {"text": {"type": "string"}}, "reaches": {"roles": ["r"], "as": "told"}},
            "told": {"data": {"organisation": {"type": "string"}, "text": {"type": "string"}}},
        }
    },
    "segments/s.yaml": {"segment": "s", "version": 1, "status": "approved", "enter": {"event": "told"}},
}


def event(id_: str, type_: str, subject: str, **data: str) -> dict[str, Any]:
    """Make an event."""
    named = {"specversion": "1.0", "source": "/s", "id": id_, "type": type_, "subject": subject}
    return {**named, "time": "2026-03-01T00:00:00Z", "data": data}


def slices(people: int, text: str) -> list[Sequence[Effect]]:
    """Tie people to an organisation, tell it a text; return the effects of each record since then, record by record."""
    catalogue = compiled(FILES)
    engine = Partition("g1", decoder_of(0, 1), clock_ms=-1)
    engine.give_catalogue(catalogue.hash, catalogue)
    cut = {**event("c", "segue.catalogue", "x:1"), "data": {"catalogue": catalogue.hash}}
    ties = [event(f"t{n}", "affiliation.started", f"hcp:{n}", organisation="org:1", role="r") for n in range(people)]
    found: list[Sequence[Effect]] = []
    offset = 0
    for told in ([cut, *ties], [event("big", "change", "org:1", text=text)]):
        found.clear()
        waiting = deque((each["subject"].encode(), json.dumps(each).encode()) for each in told)
        while waiting:
            applied = whole(engine.feed(Record(offset, 1_772_323_200_000, *waiting.popleft())))
            offset += 1
            found.append(applied.effects)
            waiting += [(each.subject.encode(), each.value) for each in applied.effects]
    return found


def test_a_small_fact_is_told_to_a_page_by_one_record() -> None:
    sizes = [len(effects) for effects in slices(PAGE_MAX, "x") if effects]
    assert sizes == [1, PAGE_MAX]


def test_a_large_fact_is_told_to_few_by_one_record() -> None:
    found = slices(20, "x" * 200_000)
    assert max(sum(len(each.value) for each in effects) for effects in found) < TOLD_BYTES_MAX + 2 * 262_144
    told = Counter(each.subject for effects in found for each in effects if each.type == REACHED_TYPE)
    assert told == Counter(f"hcp:{n}" for n in range(20))

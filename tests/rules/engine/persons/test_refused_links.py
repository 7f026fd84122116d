"""A link that comes late to a subject that was erased since is refused. Nothing else ends by that."""

import json
from collections import deque

from tests.properties.delivering import Delivered
from tests.rules.engine.persons.test_rings import ANEW, link, told

TARGET, SUBJECT = "hcp:1", "hcp:2"
RED = (TARGET, "a", {"color": "red"})


def test_a_late_refusal_does_not_end_a_link_the_other_way_round() -> None:
    """hcp:2 was linked to hcp:1 once; both were erased. hcp:1 is linked to hcp:2 now, and the first link comes."""
    lines = told(
        (SUBJECT, "b", {}),
        link(SUBJECT, TARGET),
        (SUBJECT, "identity.unlinked", {}),
        (TARGET, "privacy.erased", {}),
        (SUBJECT, "privacy.erased", {}),
        (SUBJECT, "b", {}),
        RED,
        link(TARGET, SUBJECT),
    )
    worker = Delivered(ANEW, [], set())
    late = deque(each for line in lines[:5] for each in worker.apply(line))
    waiting = deque(each for line in lines[5:] for each in worker.apply(line))
    while waiting:
        waiting += worker.apply(waiting.popleft())
    assert standing(worker) == {SUBJECT}
    while late:
        late += worker.apply(late.popleft())
    there = worker.partition.profiles[SUBJECT].person
    assert there is not None
    assert there.aliases == {TARGET}, "an erasure of hcp:2 would not find hcp:1"
    assert standing(worker) == {SUBJECT}, "hcp:2 lost what it knows of hcp:1"
    assert [json.loads(each)["change"] for each in worker.changes] == ["entered", "exited", "entered"]


def standing(worker: Delivered) -> set[str]:
    found: set[str] = set()
    for each in map(json.loads, worker.changes):
        (found.add if each["change"] == "entered" else found.discard)(each["profile"])
    return found

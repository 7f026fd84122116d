"""What an organisation tells to somebody who was erased since is dropped, and counted."""

from tests.properties.delivering import Delivered
from tests.rules.engine.test_ties_kept import FILES, line


def test_what_is_told_to_an_erased_subject_is_dropped_and_counted() -> None:
    worker = Delivered(FILES, [], set())
    [tied] = worker.apply(line(0, "affiliation.started", "hcp:1", organisation="org:1", role="r"))
    worker.apply(tied)
    [reaching] = worker.apply(line(1, "change", "org:1"))
    [reached] = worker.apply(reaching)
    worker.apply(line(2, "privacy.erased", "hcp:1"))
    worker.apply(reached)
    assert worker.changes == []
    assert worker.marks == {"erased_fact": 1}

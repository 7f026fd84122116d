"""Where a replay cuts: before the first line of the instant, or at the record that a dump says put it into force."""

import orjson

from rules.catalogue.catalogue import Catalogue
from rules.engine.replay import Then, replay
from tests.rules.catalogues import load

T = "2026-03-01T00:00:00Z"
T_MS = 1_772_323_200_000
LATER = "2026-03-01T00:00:00.001Z"


def line(subject: str, time: str = T) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"e-{time}",
            "source": "/s",
            "type": "portal.login",
            "subject": f"hcp:{subject}",
            "time": time,
        }
    )


def catalogue(version: int) -> Catalogue:
    text = f"segment: s\nversion: {version}\nstatus: approved\nenter: {{everyone: true}}\n"
    return load({"segments/s.yaml": text})


def in_force(to: Catalogue, time: str = T) -> bytes:
    return orjson.dumps({"type": "segue.catalogue", "data": {"catalogue": to.hash}, "recordedtime": time})


def versions(lines: list[bytes], *then: Then) -> list[tuple[str, int]]:
    changes, refused = replay(catalogue(1), lines, then=then, as_live=True)
    assert not refused
    return [(each["profile"], each["segment_version"]) for each in map(orjson.loads, changes)]


def test_a_cut_comes_before_the_first_line_of_its_instant() -> None:
    assert versions([line("a"), line("b")], Then(T_MS, catalogue(2))) == [("hcp:a", 2), ("hcp:b", 2)]


def test_a_cut_comes_at_its_own_record_where_the_file_has_it() -> None:
    second = catalogue(2)
    lines = [line("a"), in_force(second), line("b"), line("c", LATER)]
    assert versions(lines, Then(T_MS, second)) == [("hcp:a", 1), ("hcp:b", 2), ("hcp:c", 2)]


def test_two_cuts_of_one_instant_each_come_at_their_own_record() -> None:
    second, third = catalogue(2), catalogue(3)
    lines = [line("a"), in_force(second), line("b"), in_force(third), line("c")]
    assert versions(lines, Then(T_MS, second), Then(T_MS, third)) == [("hcp:a", 1), ("hcp:b", 2), ("hcp:c", 3)]


def test_the_record_of_another_catalogue_cuts_nothing() -> None:
    lines = [line("a"), in_force(catalogue(9)), line("b"), line("c", LATER)]
    assert versions(lines) == [("hcp:a", 1), ("hcp:b", 1), ("hcp:c", 1)]
    assert versions(lines, Then(T_MS, catalogue(2)))[0] == ("hcp:a", 2)


def test_a_dump_whose_folders_have_other_hashes_cuts_at_its_own_records() -> None:
    # a plain assignment key is left out of what a dump writes
    before = "2026-02-28T00:00:00Z"
    lines = [in_force(catalogue(7), before), line("a"), in_force(catalogue(8)), line("b"), line("c", LATER)]
    assert versions(lines, Then(T_MS, catalogue(2))) == [("hcp:a", 1), ("hcp:b", 2), ("hcp:c", 2)]


def test_a_catalogue_without_an_instant_is_not_the_first_one() -> None:
    lines = [line("a"), in_force(catalogue(8)), line("b"), line("c", LATER)]
    then = Then(T_MS, catalogue(2))
    assert versions([in_force(catalogue(7), "never"), *lines], then) == versions(lines, then)


def test_a_later_cut_waits_while_lines_of_an_earlier_one_are_held() -> None:
    then = Then(T_MS, catalogue(2)), Then(T_MS + 1, catalogue(3))
    assert versions([line("a"), line("b", LATER)], *then) == [("hcp:a", 2), ("hcp:b", 3)]

"""What was in force when, from the records of the topic of catalogues."""

import pytest

from rules.catalogue.applied import Applied
from rules.ground.instants import MS_PER_DAY
from streams.operations.errors import NoCatalogue, NotInForceThen, SeveralCatalogues, UnknownCatalogue, WrongRequest
from streams.operations.in_force import History, as_json, read_history
from streams.operations.references import digest_of, instant_of
from streams.records import Stored
from streams.wire.applies import apply_record

DAY = MS_PER_DAY
A, B, C = "a" * 64, "ab" * 32, "c" * 64


class Topic:
    """The topic of catalogues, as applies leave it behind."""

    def __init__(self) -> None:
        self.records: list[Stored] = []

    def put(self, key: bytes, value: bytes, at_ms: int) -> None:
        self.records.append(Stored(len(self.records), key, value, at_ms))

    def apply(self, digest: str, at_ms: int, *, back: bool = False) -> None:
        """Apply a catalogue as this version of Segue does."""
        told = apply_record("t", digest, None, Applied("ada", at_ms, back=back))
        self.put(told.key or b"", told.value or b"", at_ms)
        self.put(digest.encode(), b"{}", at_ms)

    def apply_as_before(self, digest: str, at_ms: int) -> None:
        """Apply a catalogue as an older version of Segue did."""
        self.put(digest.encode(), b"{}", at_ms)

    def compact(self) -> None:
        """Keep the last record of every key."""
        last = {record.key: record.offset for record in self.records}
        self.records = [record for record in self.records if last[record.key] == record.offset]

    def history(self) -> History:
        return read_history(self.records)


def told(history: History) -> list[tuple[str, int, bool]]:
    return [(each.catalogue, each.at_ms, each.applied is not None) for each in history.applies]


def test_compaction_takes_no_apply_from_the_list() -> None:
    topic = Topic()
    for day, digest in enumerate((A, B, A, B, A)):
        topic.apply(digest, day * DAY)
    before = told(topic.history())
    topic.compact()
    assert told(topic.history()) == before
    assert [digest for digest, _, _ in before] == [A, B, A, B, A]
    assert len(topic.records) == 5 + 2


def test_applies_of_an_older_version_stand_for_their_last_time() -> None:
    topic = Topic()
    topic.apply_as_before(A, 1 * DAY)
    topic.apply_as_before(B, 2 * DAY)
    topic.apply(C, 3 * DAY)
    topic.apply_as_before(A, 4 * DAY)
    topic.compact()
    assert told(topic.history()) == [(B, 2 * DAY, False), (C, 3 * DAY, True), (A, 4 * DAY, False)]
    assert [each["how"] is None for each in as_json(topic.history())] == [True, False, True]


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ("A", None),
        ("AA", None),
        ("AB", "A"),
        ("ABC", "B"),
        ("ABCb", "A"),
        ("ABCba", None),
        ("ABa", None),
        ("ABaB", "A"),
        ("ABaC", "A"),
        ("ABCbCb", "A"),
        ("ABAB", "A"),
        ("ABAb", "A"),
    ],
)
def test_back_undoes_one_apply_each_time(applied: str, expected: str | None) -> None:
    """A small letter is a step back to that catalogue."""
    topic = Topic()
    names = {"A": A, "B": B, "C": C}
    for day, letter in enumerate(applied):
        topic.apply(names[letter.upper()], day * DAY, back=letter.islower())
    before = topic.history().before()
    assert (before and before.catalogue) == (expected and names[expected])


def test_a_catalogue_is_named_by_words_instants_and_the_beginning_of_its_hash() -> None:
    topic = Topic()
    for day, digest in enumerate((A, B, C)):
        topic.apply(digest, day * DAY)
    history = topic.history()
    now = 9 * DAY
    named = {
        "in force": C,
        "before": B,
        "8 days ago": B,
        "a week ago": C,
        "9d ago": A,
        "1970-01-02": B,
        "1970-01-02T23:59:59.999Z": B,
        "abab": B,
        "aaaa": A,
        C: C,
    }
    assert {text: digest_of(text, history, now)[0] for text in named} == named
    with pytest.raises(NotInForceThen, match="no catalogue was in force at 1969-12-31"):
        digest_of("10 days ago", history, now)
    for text in ("ab", "abac", "in fource", "a month ago", "1970-13-01", ""):
        with pytest.raises(UnknownCatalogue, match="is no catalogue that was applied"):
            digest_of(text, history, now)
    for text in ("1970-02-01", "4102444800000"):
        with pytest.raises(WrongRequest, match="is in the future"):
            digest_of(text, history, now)
    topic.apply("aaaab" + A[5:], 3 * DAY)
    with pytest.raises(SeveralCatalogues, match="begins the hashes of 2 catalogues"):
        digest_of("aaaa", topic.history(), now)


def test_before_the_first_apply_nothing_is_in_force() -> None:
    with pytest.raises(NoCatalogue):
        digest_of("in force", Topic().history(), 0)
    with pytest.raises(NoCatalogue):
        digest_of("1970-01-01", Topic().history(), 0)


@pytest.mark.parametrize(
    ("text", "ago_ms"),
    [
        ("an hour ago", DAY // 24),
        ("yesterday", DAY),
        ("1 day ago", DAY),
        ("2 weeks ago", 14 * DAY),
        ("36h ago", DAY * 3 // 2),
    ],
)
def test_how_long_ago(text: str, ago_ms: int) -> None:
    assert instant_of(text, 100 * DAY) == 100 * DAY - ago_ms

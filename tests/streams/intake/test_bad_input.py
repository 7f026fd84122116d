"""The memory of refused records: shares, reasons and sources, over a restart."""

from streams.intake.bad_input import OTHERS, PAIRS_MAX, SOURCES_MAX, UNNAMED, BadInput, BadInputLimits, BadRecord
from streams.intake.decoding import SOURCE_MAX, source_of
from streams.wire.progress import Progress, progress_record, read_progress

LIMITS = BadInputLimits(0.1, 100)


def bad(n: int, offset: int = 0, code: str = "not_json", source: str = "") -> list[BadRecord]:
    return [BadRecord(offset + each, code, source) for each in range(n)]


def test_the_share_is_judged_against_the_whole_window_and_forgets_what_left_it() -> None:
    guard = BadInput(LIMITS)
    guard.add(10, bad(10))
    assert not guard.too_much
    guard.add(1, bad(1))
    assert guard.too_much
    for _ in range(9):
        guard.add(10, [])
    assert guard.too_much
    guard.add(100, [])
    guard.add(1, [])
    assert not guard.too_much
    assert guard.refused <= 1


def test_a_share_of_one_holds_nothing() -> None:
    guard = BadInput(BadInputLimits(1.0, 100))
    guard.add(1_000, bad(1_000))
    assert not guard.too_much


def test_the_memory_of_a_progress_record_is_what_was_written() -> None:
    guard = BadInput(LIMITS)
    guard.add(10, bad(3, source="/crm"))
    guard.add(10, bad(9, 10, "wrong_type", "/portal"))
    progress = Progress("g1", 7, 20, 0, "c", "d", guard.memory(20))
    again = BadInput(LIMITS, read_progress(progress_record("p", 0, progress).value).refused)
    assert again.too_much
    assert again.said() == guard.said()
    assert again.said() == ("12 of the last 100 records were refused: wrong_type 9, not_json 3, from /portal 9, /crm 3")


def test_a_progress_that_remembers_nothing_has_the_bytes_that_it_always_had() -> None:
    value = progress_record("p", 0, Progress("g1", 7, 4711, 1, "c", "d", BadInput(LIMITS).memory(4711))).value
    assert value == b'{"generation":"g1","epoch":7,"offset":4711,"clock_ms":1,"catalogue":"c","digest":"d"}'
    assert read_progress(value).refused is None


def test_a_pardon_forgets_and_is_remembered_until_the_partition_has_come_there() -> None:
    guard = BadInput(LIMITS)
    guard.add(50, bad(50))
    guard.pardon(80)
    assert not guard.too_much
    memory = guard.memory(50)
    assert memory is not None
    again = BadInput(LIMITS, memory)
    again.add(30, bad(30, 50))
    assert again.refused == 0
    assert again.memory(80) is None
    again.add(11, bad(11, 80))
    assert again.too_much


def test_sources_are_told_apart_up_to_a_number() -> None:
    guard = BadInput(LIMITS)
    for n in range(PAIRS_MAX + 30):
        guard.add(0, bad(1, source=f"/s{n}"))
    assert len(guard.sources()) == PAIRS_MAX + 1
    assert guard.sources()[OTHERS] == 30


def test_a_source_is_read_of_both_modes_cut_short_and_without_control_characters() -> None:
    long = "/" + "x" * 500
    assert source_of(b'{"source":"/crm\\n"}', ()) == "/crm?"
    assert source_of(b'{"source":"%b"}' % long.encode(), ()) == long[:SOURCE_MAX]
    assert source_of(b"{}", (("ce_source", b"/portal"), ("ce_id", b"1"))) == "/portal"
    for value in (None, b"", b"garbage", b"[]", b'{"source":7}'):
        assert source_of(value, ()) == ""
    guard = BadInput(LIMITS)
    guard.add(1, bad(1))
    assert guard.sources() == {UNNAMED: 1}


def test_a_producer_that_names_a_new_source_in_each_event_makes_no_more_labels() -> None:
    guard = BadInput(BadInputLimits(0.05, 1_000))
    for block in range(10):
        guard.add(100, [BadRecord(each, "not_json", f"/session/{block}-{each}") for each in range(PAIRS_MAX)])
    guard.add(100, bad(7, source="/crm"))
    sources = guard.sources()
    assert len(sources) == SOURCES_MAX + 1
    assert sources["/crm"] == 7
    assert sum(sources.values()) == guard.refused
    assert next(iter(sources)) == OTHERS

"""The page of a preview: self-contained, escaped, without names that nobody asked for."""

from rules.preview.found import Found, Window
from rules.preview.people import Moved, Person
from rules.preview.tally import ActivationMoves, SegmentMoves, Tally
from streams.cli.render.preview_page import page
from streams.operations.preview import Preview
from streams.operations.preview_name import name_of
from tests.streams.world import START_MS, catalogue

OLD = catalogue("known|enter: {everyone: true}")
NEW = catalogue("known|title: '<script>alert(1)</script>'\nenter: {event: portal.login, within: 1d}")


def preview(found: Found, one_in: int = 1) -> Preview:
    """A preview of one small change."""
    return Preview(
        name=name_of(OLD.hash, NEW.hash, []),
        before=OLD,
        after=NEW,
        at_ms=START_MS,
        from_ms=START_MS - 1,
        one_in=one_in,
        offsets=((0, 9),),
        differences=(),
        parts=(),
        found=found,
        records=9,
        passes=1,
        seconds=0.1,
        unknown=(),
        shows=lambda _kind, _name: True,
        not_shown={},
        note="",
        to_version=(),
    )


def moved() -> Found:
    """Three enter, and the window went otherwise."""
    cut = Tally({"known": SegmentMoves(entered=3)}, {"mail": ActivationMoves(activated=2)})
    return Found(cut=cut, window=Window(actual=Tally({"known": SegmentMoves(entered=5)})))


def test_the_page_asks_for_nothing_and_escapes_what_definitions_say() -> None:
    text = page(preview(moved()))
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    for foreign in ("<script", "http://", "https://", "<link", "@import", "url("):
        assert foreign not in text
    assert "<b>3</b>" in text
    assert "entered: 5 → <b>0</b>" in text


def test_a_sample_is_said_and_scaled() -> None:
    text = page(preview(moved(), one_in=16))
    assert "each number is scaled by 16" in text
    assert "<b>48</b>" in text


def test_a_profile_is_named_only_where_it_was_asked_for() -> None:
    found = moved()
    assert "hcp:1" not in page(preview(found))
    found.people = {Moved("segment", "known", "enter"): [Person(1, "hcp:1", ("out",), ("in",))]}
    assert "<code>hcp:1</code>" in page(preview(found))

"""Laws of what goes into a request, for any course of taking and settling."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.window import ChangeKind, Limits, Parcel, SendWindow, fits

ACTIVATIONS = ("a", "b", "c")


def parcel(
    partition: int, offset: int, profile: int, activation: str, *, activated: bool | None, size: int = 10
) -> Parcel:
    """Make a change; `activated` None: an erasure."""
    kind: ChangeKind = "erased" if activated is None else "activated" if activated else "deactivated"
    name = f"hcp:{partition}-{profile}"
    return Parcel(partition, offset, f"g1/{name}/email/{offset}", name, activation, kind, offset, (b"x" * size, b"y"))


parcels = st.lists(
    st.builds(
        lambda partition, profile, activation, activated, size, gap: (
            partition,
            profile,
            activation,
            activated,
            size,
            gap,
        ),
        st.integers(0, 2),
        st.integers(0, 3),
        st.sampled_from(ACTIVATIONS),
        st.sampled_from([True, False, True, False, None]),
        st.integers(1, 40),
        st.integers(1, 3),
    ),
    max_size=60,
)
limits = st.builds(
    Limits, st.integers(1, 7), st.integers(60, 200), st.just(40), st.integers(0, 15), st.sampled_from([None, 1, 3])
)


@given(parcels, limits, st.integers())
def test_any_course_keeps_order_limits_and_progress(
    drawn: list[tuple[int, int, str, bool | None, int, int]], allowed: Limits, seed: int
) -> None:
    chance = Random(seed)
    window = SendWindow(allowed)
    ends = [0, 0, 0]
    coming = []
    for partition, profile, activation, activated, size, gap in drawn:
        offset = ends[partition] + gap - 1
        ends[partition] = offset + 1
        coming.append(parcel(partition, offset, profile, activation, activated=activated, size=size))
    assert all(fits(each, allowed) for each in coming)
    due = list(reversed(coming))
    under_way: list[list[Parcel]] = []
    added: list[Parcel] = []
    taken_once: list[Parcel] = []
    settled: list[Parcel] = []
    passed: set[tuple[int, int]] = set()
    """(partition, offset) of what is done with, and answered if it is an erasure."""
    while due or under_way or len(settled) < len(coming):
        step = chance.random()
        if due and step < 0.4:
            coming_in = due.pop()
            if coming_in.erases and allowed.deletions_max is not None:
                gone = [each for each in added if each.profile == coming_in.profile and each not in taken_once]
                gone = [each for each in gone if each not in settled]
            else:
                gone = []
            assert window.add(coming_in) == len(gone)
            added.append(coming_in)
            settled += gone
            passed |= {(each.partition, each.offset) for each in gone if not each.erases}
        elif step < 0.7 and (taken := window.take()):
            taken_once += taken
            assert len(taken) <= allowed.changes_max
            if allowed.deletions_max is not None and any(each.erases for each in taken):
                assert all(each.erases for each in taken), "a deletion and something else"
                assert len(taken) == len({each.profile for each in taken}) <= allowed.deletions_max
            assert allowed.overhead_bytes + sum(each.size_bytes for each in taken) <= allowed.body_bytes_max
            flying = {each.profile for batch in under_way for each in batch}
            for name in {each.profile for each in taken}:
                assert name not in flying, "a later change overtakes"
                run = [each for each in taken if each.profile == name]
                waiting = [each for each in added if each.profile == name and each not in settled]
                assert run == waiting[: len(run)], "not the oldest that wait, in order"
                assert len({each.kind for each in run}) == 1
                assert len({each.activation for each in run}) == len(run)
            under_way.append(taken)
        elif under_way:
            batch = under_way.pop(chance.randrange(len(under_way)))
            # in two parts, as a request that was cut into halves
            half = chance.randint(0, len(batch))
            for part in (batch[:half], batch[half:]):
                window.settle(part)
                settled += part
                passed |= {(each.partition, at) for each in part for _, at in (*each.also, ("", each.offset))}
                _progress_is_contiguous(window, added, passed)
        _progress_is_contiguous(window, added, passed)
        assert window.changes == len(added) - len(settled)
        assert window.size_bytes == sum(each.size_bytes for each in added) - sum(each.size_bytes for each in settled)
    assert window.take() == []
    assert all(window.idle(partition) for partition in range(3))
    if allowed.deletions_max is not None:
        # each erasure is answered by a deletion that was sent, its own or a later one of its profile
        answered = {
            (each.partition, offset)
            for each in taken_once
            for _, offset in (*each.also, ("", each.offset))
            if each.erases
        }
        assert answered == {(each.partition, each.offset) for each in coming if each.erases}


def _progress_is_contiguous(window: SendWindow, added: list[Parcel], done: set[tuple[int, int]]) -> None:
    for partition, at in window.progress().items():
        offsets = [each.offset for each in added if each.partition == partition]
        assert all((partition, offset) in done for offset in offsets if offset < at)
        open_ = [offset for offset in offsets if (partition, offset) not in done]
        assert at == (open_[0] if open_ else offsets[-1] + 1)


def test_something_can_always_go_unless_everything_that_waits_is_under_way() -> None:
    window = SendWindow(Limits(2, 1_000, 100, 10))
    for offset in range(6):
        window.add(parcel(0, offset, offset % 2, "a", activated=offset % 4 < 2))
    first = window.take()
    assert [each.offset for each in first] == [0, 1]
    assert window.take() == []
    window.settle(first[:1])
    assert [each.offset for each in window.take()] == [2]


def test_profiles_take_turns() -> None:
    window = SendWindow(Limits(1, 1_000, 100, 10))
    for offset in range(8):
        window.add(parcel(0, offset, 0 if offset < 6 else offset, "a", activated=offset % 2 == 0))
    order = []
    while taken := window.take():
        order.append(taken[0].offset)
        window.settle(taken)
    assert order == [0, 6, 7, 1, 2, 3, 4, 5]


def test_markers_count_as_read_where_nothing_is_in_hand() -> None:
    window = SendWindow(Limits(9, 1_000, 100, 10))
    window.pass_by(0, 5)
    assert window.progress() == {}
    window.add(parcel(0, 5, 0, "a", activated=True))
    window.pass_by(0, 9)
    assert window.progress() == {0: 5}
    window.settle(window.take())
    assert window.progress() == {0: 9}


def test_a_repr_names_no_profile() -> None:
    assert "hcp:" not in repr(parcel(0, 0, 0, "a", activated=True))


def test_a_deletion_takes_the_place_of_what_waits_and_goes_alone() -> None:
    window = SendWindow(Limits(9, 1_000, 100, 10, 2))
    window.add(parcel(0, 0, 0, "a", activated=True))
    under_way = window.take()
    for offset, activated in enumerate((False, True, None), 1):
        superseded = window.add(parcel(0, offset, 0, "a", activated=activated))
    assert superseded == 2
    window.add(parcel(0, 4, 0, "a", activated=True))
    window.add(parcel(0, 5, 1, "a", activated=True))
    assert [each.offset for each in window.take()] == [5]
    assert window.progress() == {0: 0}
    window.settle(under_way)
    assert window.progress() == {0: 3}
    deletion = window.take()
    assert [each.offset for each in deletion] == [3]
    assert window.take() == [], "what comes after a deletion waits for it"
    window.settle(deletion)
    assert [each.offset for each in window.take()] == [4]


def test_an_erasure_whose_place_a_later_one_takes_is_read_again_after_a_crash_before_the_answer() -> None:
    window = SendWindow(Limits(9, 1_000, 100, 10, 2))
    for offset, activation in enumerate(("a", "b", "c")):
        window.add(parcel(0, offset, 0, activation, activated=None))
    deletion = window.take()
    assert [(each.offset, [at for _, at in each.also]) for each in deletion] == [(2, [0, 1])]
    assert window.progress() == {0: 0}, "the first erasure would have no receipt"
    window.settle(deletion)
    assert (window.progress(), window.changes, window.size_bytes) == ({0: 3}, 0, 0)


def test_without_deletions_an_erasure_is_a_change_of_its_own_kind() -> None:
    window = SendWindow(Limits(9, 1_000, 100, 10))
    for offset, (activation, activated) in enumerate((("a", False), ("b", None), ("c", None))):
        assert window.add(parcel(0, offset, 0, activation, activated=activated)) == 0
    first = window.take()
    assert [each.offset for each in first] == [0]
    window.settle(first)
    assert [each.offset for each in window.take()] == [1, 2]

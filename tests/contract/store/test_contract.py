"""The contract of a partition's store (streams/store/terms.py): one suite for the model and for the real servers."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from rules.engine.cut import Cut, Introduced, Made
from rules.ground.instants import FOREVER
from streams.errors import Fenced, Gap, Incident, StoreBug, Unanswered
from streams.store.terms import WRITE_BYTES_MAX, Checkpoint, Meta, PartitionStore, Token
from tests.contract.store.conftest import Backend

SUBJECTS = ["hcp:1", "hcp:é", "hcp:z", "patient:\U0001f600", "patient:\ufffd", "patient:a b", "payer:{x}:y", "lab:*"]
"""Traps of text: two bytes, four bytes that UTF-16 would sort before U+FFFD, braces, a space, a glob."""


def meta(epoch: int = 5, n: int = 0, **changes: Any) -> Meta:
    """Return a meta in which every field is filled."""
    base = Meta(
        generation="g1",
        token=Token(epoch, n),
        offset=42,
        clock_ms=1_772_373_900_012,
        catalogue="c" * 64,
        partitions=4,
        digest="d" * 64,
        last_ms=1_772_373_900_011,
        cuts=(
            Cut(1, -1, "b" * 64),
            Cut(
                2,
                1_772_373_800_000,
                "c" * 64,
                (Introduced("event:a|b", "seg-a", 2, 5), Introduced("absent", "", 2, 6)),
                (Made(1, -1), Made(2, 1_772_373_800_000, True, None, ("a é", "b")), Made(2, 9, traits=None)),
            ),
            Cut(3, 1_772_373_900_000, "c" * 64, fills=(Made(1, -1, True, -9),)),
        ),
        active=(("access-é", "email", 3), ("access-é", "sms", 1)),
    )
    return replace(base, **changes)


def checkpoint(at: tuple[int, int], to: int, **content: Any) -> Checkpoint:
    """Return a checkpoint from the token `at` (epoch, n) to n `to` of its epoch."""
    return Checkpoint(expect=Token(*at), meta=meta(at[0], to, offset=42 + to), **content)


FIRST = checkpoint(
    (5, 0),
    1,
    profiles={subject: f"blob of {subject}".encode() + b"\x00\r\n\xff" for subject in SUBJECTS},
    wakes={subject: 1_000 * (index // 3) for index, subject in enumerate(SUBJECTS)} | {"lab:*": FOREVER},
    joined={"seg-a": SUBJECTS[:3], "seg-b": SUBJECTS[:1]},
)


async def filled(backend: Backend, partition: int = 0) -> PartitionStore:
    """Return a store after the checkpoint FIRST; its token is 5.1."""
    store = backend.store(partition)
    assert await store.create(meta())
    await store.write(FIRST)
    return store


async def everything(store: PartitionStore) -> dict[str, Any]:
    """Return everything that can be read of a partition; reads in many small steps."""
    found = await store.read_meta()
    if found is None:
        return {}
    expect = [found.token]
    subjects: set[str] = set()
    cursor = -1
    while cursor != 0:
        cursor, page = await store.subjects(max(cursor, 0), 3, expect)
        subjects.update(page)
    names = sorted(subjects)
    members = {}
    for segment in ("seg-a", "seg-b", "seg-c"):
        cursor, page = await store.members(segment, 0, 1_000)
        assert cursor == 0
        assert len(page) == await store.size(segment)
        members[segment] = sorted(page)
    assert await store.sizes(list(members)) == [len(found) for found in members.values()]
    assert await store.sizes([]) == []
    return {
        "meta": found,
        "profiles": dict(zip(names, await store.profiles(names, expect), strict=True)),
        "due": await store.due(FOREVER, None, 10_000, expect),
        "next": await store.next_wake(expect),
        "members": members,
    }


async def test_a_partition_without_meta_is_empty_and_every_use_of_it_is_an_incident(backend: Backend) -> None:
    store = backend.store()
    assert await store.read_meta() is None
    expect = [Token(5, 0)]
    uses: list[Callable[[], Awaitable[object]]] = [
        store.token,
        lambda: store.raise_epoch(Token(5, 0)),
        lambda: store.write(FIRST),
        lambda: store.profiles(["hcp:1"], expect),
        lambda: store.due(FOREVER, None, 10, expect),
        lambda: store.next_wake(expect),
        lambda: store.subjects(0, 10, expect),
    ]
    for use in uses:
        with pytest.raises(Incident):
            await use()
    assert await store.read_meta() is None
    assert await store.size("seg-a") == 0
    assert await store.members("seg-a", 0, 10) == (0, [])


async def test_meta_is_created_once_and_read_back_whole(backend: Backend) -> None:
    store = backend.store()
    assert await store.create(meta())
    assert await store.read_meta() == meta()
    assert not await store.create(meta(9, 9, generation="g2"))
    assert await store.read_meta() == meta()
    assert await store.token() == Token(5, 0)
    assert await store.next_wake([Token(5, 0)]) is None


async def test_a_checkpoint_writes_everything_in_it(backend: Backend) -> None:
    store = await filled(backend)
    assert await everything(store) == {
        "meta": FIRST.meta,
        "profiles": FIRST.profiles,
        "due": [
            (0, "hcp:1"),
            (0, "hcp:z"),
            (0, "hcp:é"),
            (1_000, "patient:a b"),
            (1_000, "patient:\ufffd"),
            (1_000, "patient:\U0001f600"),
            (2_000, "payer:{x}:y"),
        ],
        "next": (0, "hcp:1"),
        "members": {"seg-a": sorted(SUBJECTS[:3]), "seg-b": SUBJECTS[:1], "seg-c": []},
    }
    assert await store.profiles(["hcp:z", "hcp:nobody", "hcp:1", "hcp:z"], [Token(5, 1)]) == [
        FIRST.profiles["hcp:z"],
        None,
        FIRST.profiles["hcp:1"],
        FIRST.profiles["hcp:z"],
    ]
    assert await store.profiles([], [Token(5, 1)]) == []


async def test_a_checkpoint_changes_and_removes(backend: Backend) -> None:
    store = await filled(backend)
    await store.write(
        checkpoint(
            (5, 1),
            2,
            profiles={"hcp:1": b"", "hcp:z": None, "hcp:nobody": None, "hcp:new": b"new"},
            wakes={"hcp:1": FOREVER, "hcp:z": None, "hcp:nobody": None, "hcp:new": -62_135_596_800_000},
            joined={"seg-c": ["hcp:new"], "seg-b": ["hcp:é"]},
            left={"seg-a": SUBJECTS[:3], "seg-b": ["hcp:1", "hcp:nobody"], "seg-none": ["hcp:1"]},
        )
    )
    after = await everything(store)
    assert after["meta"] == meta(5, 2, offset=44)
    kept = {subject: blob for subject, blob in FIRST.profiles.items() if subject not in ("hcp:1", "hcp:z")}
    assert after["profiles"] == kept | {"hcp:1": b"", "hcp:new": b"new"}
    assert after["due"][0] == (-62_135_596_800_000, "hcp:new")
    assert after["next"] == (-62_135_596_800_000, "hcp:new")
    assert {"hcp:1", "hcp:z", "hcp:nobody"}.isdisjoint(subject for _, subject in after["due"])
    assert after["members"] == {"seg-a": [], "seg-b": ["hcp:é"], "seg-c": ["hcp:new"]}
    assert await store.profiles(["hcp:z"], [Token(5, 2)]) == [None]


async def test_a_checkpoint_with_nothing_but_meta_moves_the_token(backend: Backend) -> None:
    store = await filled(backend)
    before = await everything(store)
    await store.write(checkpoint((5, 1), 7))
    assert await everything(store) == before | {"meta": meta(5, 7, offset=49)}


async def test_a_checkpoint_larger_than_one_command_is_still_one(backend: Backend) -> None:
    store = await filled(backend)
    names = [f"lab:{number:05}" for number in range(5_001)]
    await store.write(
        checkpoint(
            (5, 1),
            2,
            profiles={name: name.encode() * 10 for name in names},
            wakes=dict.fromkeys(names, 5_000),
            joined={"seg-c": names},
        )
    )
    expect = [Token(5, 2)]
    assert await store.profiles(names, expect) == [name.encode() * 10 for name in names]
    assert await store.size("seg-c") == 5_001
    assert await store.due(5_001, (2_000, "~"), 9_999, expect) == [(5_000, name) for name in names]
    await store.write(
        checkpoint(
            (5, 2),
            3,
            profiles=dict.fromkeys(names),
            wakes=dict.fromkeys(names),
            left={"seg-c": names},
        )
    )
    assert await everything(store) == {
        **await everything(await filled(backend, 1)),
        "meta": meta(5, 3, offset=45),
    }


@pytest.mark.parametrize(
    ("stored", "expect", "new", "outcome"),
    [
        ((5, 3), (5, 3), 4, None),
        ((5, 3), (5, 3), 9, None),
        ((5, 4), (5, 3), 4, None),
        ((6, 0), (5, 3), 4, Fenced),
        ((6, 3), (5, 3), 4, Fenced),
        ((5, 2), (5, 3), 4, Gap),
        ((5, 5), (5, 3), 4, Gap),
        ((4, 3), (5, 3), 4, Gap),
        ((4, 99), (5, 0), 1, Gap),
        ((0, 0), (5, 0), 1, Gap),
    ],
)
async def test_a_checkpoint_is_applied_only_on_the_token_it_expects(
    backend: Backend,
    stored: tuple[int, int],
    expect: tuple[int, int],
    new: int,
    outcome: type[Exception] | None,
) -> None:
    store = backend.store()
    await store.create(meta(*stored))
    before = await everything(store)
    write = checkpoint(expect, new, profiles={"hcp:1": b"x"}, wakes={"hcp:1": 1}, joined={"seg-a": ["hcp:1"]})
    if outcome is None:
        await store.write(write)
        applied = stored == expect
        assert await store.profiles(["hcp:1"], [Token(expect[0], new)]) == [b"x" if applied else None]
        return
    with pytest.raises(outcome):
        await store.write(write)
    assert await everything(store) == before
    # a refusal leaves no transaction open: another write to meta does not disturb this connection's reads
    assert await backend.store().raise_epoch(Token(9, 0)) == meta(9, 0)
    assert await store.profiles(["hcp:1"], [Token(9, 0)]) == [None]


@pytest.mark.parametrize("new", [(5, 1), (5, 0), (6, 2), (4, 9)])
async def test_a_token_that_does_not_follow_is_a_bug_and_changes_nothing(
    backend: Backend, new: tuple[int, int]
) -> None:
    store = await filled(backend)
    before = await everything(store)
    with pytest.raises(StoreBug):
        await store.write(Checkpoint(expect=Token(5, 1), meta=meta(*new), profiles={"hcp:1": None}))
    assert await everything(store) == before


async def test_a_checkpoint_that_is_too_large_is_a_bug_and_nothing_of_it_is_sent(backend: Backend) -> None:
    store = await filled(backend)
    before = await everything(store)
    blob = bytes(WRITE_BYTES_MAX // 4)
    large = {f"hcp:large-{number}": blob for number in range(4)}
    backend.befall("reply lost")  # would befall the next request
    with pytest.raises(StoreBug, match="bytes"):
        await store.write(checkpoint((5, 1), 2, profiles={**large, "hcp:1": b"x"}))
    with pytest.raises(Unanswered):
        await store.write(checkpoint((5, 1), 2))
    await store.write(checkpoint((5, 1), 2))
    assert await everything(store) == before | {"meta": meta(5, 2, offset=44)}


async def test_a_write_sent_again_after_it_was_applied_changes_nothing_more(backend: Backend) -> None:
    store = await filled(backend)
    second = checkpoint((5, 1), 2, profiles={"hcp:1": b"second"}, joined={"seg-c": ["hcp:1"]})
    await store.write(second)
    before = await everything(store)
    await store.write(second)
    assert await everything(store) == before


async def test_epochs_only_go_up_whatever_the_order_of_claims(backend: Backend) -> None:
    claims = [Token(6, 1), Token(7, 0), Token(7, 3), Token(9, 2)]
    for number, order in enumerate(itertools.permutations(claims)):
        store = backend.store(number % 2)
        await store.drop()
        await store.create(meta(5, 8))
        highest = Token(5, 8)
        for claim in order:
            if claim.epoch < highest.epoch:
                with pytest.raises(Fenced):
                    await store.raise_epoch(claim)
            else:
                highest = max(highest, claim)
                assert await store.raise_epoch(claim) == meta(*highest)
            assert await store.token() == highest
        await store.close()


async def test_a_claim_moves_the_token_and_nothing_else(backend: Backend) -> None:
    store = await filled(backend)
    before = await everything(store)
    raised = await backend.store().raise_epoch(Token(8, 1))
    assert raised == replace(FIRST.meta, token=Token(8, 1))
    assert await everything(store) == before | {"meta": raised}


async def test_a_claim_of_the_same_epoch_keeps_the_higher_n(backend: Backend) -> None:
    store = await filled(backend)
    assert (await store.raise_epoch(Token(5, 0))).token == Token(5, 1)
    assert (await store.raise_epoch(Token(5, 6))).token == Token(5, 6)
    assert await store.token() == Token(5, 6)


async def test_the_fenced_owner_is_told_so_and_the_new_one_writes(backend: Backend) -> None:
    old = await filled(backend)
    new = backend.store()
    await new.raise_epoch(Token(6, 0))
    before = await everything(new)
    with pytest.raises(Fenced):
        await old.write(checkpoint((5, 1), 2, profiles={"hcp:1": b"zombie"}))
    with pytest.raises(Fenced):
        await old.profiles(["hcp:1"], [Token(5, 1), Token(5, 2)])
    with pytest.raises(Fenced):
        await old.raise_epoch(Token(5, 3))
    assert await everything(new) == before
    await new.write(checkpoint((6, 0), 1, profiles={"hcp:1": b"new owner"}))
    assert await new.profiles(["hcp:1"], [Token(6, 1)]) == [b"new owner"]


@pytest.mark.parametrize(
    ("expect", "outcome"),
    [
        ([(5, 1)], None),
        ([(5, 0), (5, 1)], None),
        ([(5, 1), (5, 2)], None),
        ([(5, 0)], Gap),
        ([(5, 2), (5, 3)], Gap),
        ([(6, 0)], Gap),
        ([(4, 7)], Fenced),
        ([(3, 1), (4, 1)], Fenced),
    ],
)
async def test_every_read_compares_the_token(
    backend: Backend, expect: list[tuple[int, int]], outcome: type[Exception] | None
) -> None:
    store = await filled(backend)
    tokens = [Token(*one) for one in expect]
    reads: list[Callable[[], Awaitable[object]]] = [
        lambda: store.profiles(["hcp:1"], tokens),
        lambda: store.due(FOREVER, None, 10, tokens),
        lambda: store.due(FOREVER, (0, "hcp:1"), 10, tokens),
        lambda: store.next_wake(tokens),
        lambda: store.subjects(0, 10, tokens),
    ]
    for read in reads:
        if outcome is None:
            assert await read()
        else:
            with pytest.raises(outcome):
                await read()


@pytest.mark.parametrize("mishap", ["request lost", "reply lost"])
async def test_an_unanswered_write_sent_again_is_applied_once(backend: Backend, mishap: str) -> None:
    store = await filled(backend)
    second = checkpoint((5, 1), 2, profiles={"hcp:1": b"second"}, joined={"seg-c": ["hcp:1"]})
    backend.befall(mishap)
    with pytest.raises(Unanswered):
        await store.write(second)
    assert await store.token() == Token(5, 1 if mishap == "request lost" else 2)
    await store.write(second)
    after = await everything(store)
    assert after["meta"] == second.meta
    assert after["profiles"]["hcp:1"] == b"second"
    assert after["members"]["seg-c"] == ["hcp:1"]


@pytest.mark.parametrize("mishap", ["request lost", "reply lost"])
async def test_an_unanswered_claim_made_again_holds(backend: Backend, mishap: str) -> None:
    store = await filled(backend)
    backend.befall(mishap)
    with pytest.raises(Unanswered):
        await store.raise_epoch(Token(6, 1))
    assert (await store.raise_epoch(Token(6, 2))).token == Token(6, 2)


@pytest.mark.parametrize("mishap", ["request lost", "reply lost"])
async def test_an_unanswered_creation_made_again_leaves_one_meta(backend: Backend, mishap: str) -> None:
    store = backend.store()
    backend.befall(mishap)
    with pytest.raises(Unanswered):
        await store.create(meta())
    assert await store.create(meta()) is (mishap == "request lost")
    assert await store.read_meta() == meta()


async def test_a_write_that_arrives_after_its_repeat_changes_nothing(backend: Backend) -> None:
    store = await filled(backend)
    second = checkpoint((5, 1), 2, profiles={"hcp:1": b"second"}, joined={"seg-c": ["hcp:1"]})
    backend.befall("late")
    with pytest.raises(Unanswered):
        await store.write(second)
    assert await store.token() == Token(5, 1)
    await store.write(second)
    await store.write(checkpoint((5, 2), 3, profiles={"hcp:1": b"third"}))
    before = await everything(store)
    await backend.deliver()
    assert await everything(store) == before


async def test_a_write_that_arrives_before_its_repeat_is_recognised(backend: Backend) -> None:
    store = await filled(backend)
    second = checkpoint((5, 1), 2, profiles={"hcp:1": b"second"})
    backend.befall("late")
    with pytest.raises(Unanswered):
        await store.write(second)
    await backend.deliver()
    await store.write(second)
    assert await store.token() == Token(5, 2)
    assert await store.profiles(["hcp:1"], [Token(5, 2)]) == [b"second"]


async def test_a_write_that_arrives_after_a_claim_changes_nothing(backend: Backend) -> None:
    zombie = await filled(backend)
    backend.befall("late")
    with pytest.raises(Unanswered):
        await zombie.write(checkpoint((5, 1), 2, profiles={"hcp:1": b"zombie"}))
    owner = backend.store()
    await owner.raise_epoch(Token(6, 0))
    before = await everything(owner)
    await backend.deliver()
    assert await everything(owner) == before


async def test_a_claim_that_arrives_after_a_later_one_changes_nothing(backend: Backend) -> None:
    zombie = await filled(backend)
    backend.befall("late")
    with pytest.raises(Unanswered):
        await zombie.raise_epoch(Token(6, 0))
    owner = backend.store()
    await owner.raise_epoch(Token(7, 0))
    before = await everything(owner)
    await backend.deliver()
    assert await everything(owner) == before


async def test_a_server_that_went_back_is_a_gap_until_the_owner_reads_anew(backend: Backend) -> None:
    store = await filled(backend)
    backup = await backend.snapshot()
    at_backup = await everything(store)
    await store.write(checkpoint((5, 1), 2, profiles={"hcp:1": b"second"}))
    await backend.roll_back(backup)
    third = checkpoint((5, 2), 3, profiles={"hcp:z": b"third"})
    with pytest.raises(Gap):
        await store.write(third)
    with pytest.raises(Gap):
        await store.profiles(["hcp:1"], [Token(5, 2)])
    assert await everything(store) == at_backup
    # n goes on from where it was: no token ever names two contents
    await store.write(checkpoint((5, 1), 4, profiles={"hcp:1": b"again"}))
    assert await store.profiles(["hcp:1"], [Token(5, 4)]) == [b"again"]


async def test_a_server_that_went_back_below_a_claim_takes_the_epoch_again(backend: Backend) -> None:
    store = await filled(backend)
    backup = await backend.snapshot()
    owner = backend.store()
    await owner.raise_epoch(Token(6, 0))
    await backend.roll_back(backup)
    with pytest.raises(Gap):
        await owner.write(checkpoint((6, 0), 1))
    assert (await owner.raise_epoch(Token(6, 1))).token == Token(6, 1)
    with pytest.raises(Fenced):
        await store.write(checkpoint((5, 1), 2))


async def test_a_server_that_was_emptied_is_an_incident(backend: Backend) -> None:
    nothing = await backend.snapshot()
    store = await filled(backend)
    await backend.roll_back(nothing)
    with pytest.raises(Incident):
        await store.write(checkpoint((5, 1), 2))
    with pytest.raises(Incident):
        await store.token()
    assert await store.read_meta() is None


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_wakes_come_in_order_through_ties_whatever_the_page(backend: Backend, limit: int) -> None:
    store = backend.store()
    await store.create(meta())
    wakes = {f"hcp:{name}": due for due in (-5, 0, 7) for name in _names(due)}
    await store.write(checkpoint((5, 0), 1, wakes=wakes | {"hcp:asleep": FOREVER}))
    expect = [Token(5, 1)]
    expected = sorted((due, subject) for subject, due in wakes.items())
    assert expected == sorted(expected, key=lambda wake: (wake[0], wake[1].encode()))
    for before_ms in (-5, -4, 0, 1, 7, 8, FOREVER):
        paged: list[tuple[int, str]] = []
        while page := await store.due(before_ms, paged[-1] if paged else None, limit, expect):
            assert len(page) <= limit
            paged += page
        assert paged == [wake for wake in expected if wake[0] < before_ms]


def _names(due: int) -> list[str]:
    letters = ["a", "b", "Z", "é", "\ufffd", "\U0001f600", "aa", "a b"]
    return [f"{letter}{due}" for letter in letters[: 8 if due else 5]]


async def test_wakes_are_paged_from_a_wake_that_is_gone(backend: Backend) -> None:
    store = backend.store()
    await store.create(meta())
    await store.write(checkpoint((5, 0), 1, wakes={"a:1": 10, "a:2": 10, "a:3": 10, "a:4": 11}))
    await store.write(checkpoint((5, 1), 2, wakes={"a:2": None, "a:1": FOREVER}))
    expect = [Token(5, 2)]
    assert await store.due(99, (10, "a:2"), 9, expect) == [(10, "a:3"), (11, "a:4")]
    assert await store.due(99, (9, "z"), 9, expect) == [(10, "a:3"), (11, "a:4")]
    assert await store.due(99, (10, "z"), 9, expect) == [(11, "a:4")]
    assert await store.due(99, (11, "a:4"), 9, expect) == []
    assert await store.due(11, (10, "a:3"), 9, expect) == []
    assert await store.due(5, (10, "a:3"), 9, expect) == []
    assert await store.next_wake(expect) == (10, "a:3")


async def test_a_wake_is_exact_to_the_millisecond_and_never_is_forever(backend: Backend) -> None:
    store = backend.store()
    await store.create(meta())
    exact = {"a:1": (1 << 53) - 1, "a:2": 1 << 53, "a:3": 253_402_300_799_999, "a:4": -62_135_596_800_000}
    await store.write(checkpoint((5, 0), 1, wakes=exact | {"a:5": FOREVER, "a:6": (1 << 53) + 1}))
    expect = [Token(5, 1)]
    assert await store.due(FOREVER, None, 9, expect) == sorted((due, subject) for subject, due in exact.items())
    await store.write(checkpoint((5, 1), 2, wakes=dict.fromkeys(exact)))
    assert await store.next_wake([Token(5, 2)]) == (FOREVER, "a:5")


async def test_a_scan_meets_every_subject_that_is_there_throughout(backend: Backend) -> None:
    store = backend.store()
    await store.create(meta())
    stay = [f"hcp:{number}" for number in range(1_500)]
    go = [f"lab:{number}" for number in range(500)]
    await store.write(
        checkpoint((5, 0), 1, wakes=dict.fromkeys(stay + go, FOREVER), joined={"seg-a": stay + go, "seg-b": ["hcp:1"]})
    )
    met: set[str] = set()
    members: set[str] = set()
    token = Token(5, 1)
    cursor, pages = await store.subjects(0, 100, [token])
    met.update(pages)
    member_cursor, pages = await store.members("seg-a", 0, 100)
    members.update(pages)
    assert cursor != 0
    assert member_cursor != 0
    while cursor or member_cursor:
        leaver, comer = go.pop(), f"payer:{token.n}"
        await store.write(
            checkpoint(
                (5, token.n),
                token.n + 1,
                wakes={leaver: None, comer: 1},
                left={"seg-a": [leaver]},
                joined={"seg-a": [comer]},
            )
        )
        token = Token(5, token.n + 1)
        if cursor:
            cursor, pages = await store.subjects(cursor, 100, [token])
            met.update(pages)
        if member_cursor:
            member_cursor, pages = await store.members("seg-a", member_cursor, 100)
            members.update(pages)
    assert met >= set(stay)
    assert members >= set(stay)
    assert await store.size("seg-a") == 2_000


async def test_partitions_do_not_see_each_other(backend: Backend) -> None:
    one, other = await filled(backend, 0), await filled(backend, 1)
    before = await everything(other)
    await one.raise_epoch(Token(9, 0))
    await one.write(checkpoint((9, 0), 1, profiles={"hcp:1": b"x"}, left={"seg-a": SUBJECTS}))
    assert await everything(other) == before
    await one.drop()
    assert await everything(other) == before


async def test_drop_leaves_nothing_and_may_be_repeated(backend: Backend) -> None:
    store = await filled(backend)
    await store.drop()
    assert await store.read_meta() is None
    assert await store.size("seg-a") == 0
    await store.drop()
    await store.create(meta())
    assert await everything(store) == {
        "meta": meta(),
        "profiles": {},
        "due": [],
        "next": None,
        "members": {"seg-a": [], "seg-b": [], "seg-c": []},
    }


async def test_a_closed_store_opens_again(backend: Backend) -> None:
    store = await filled(backend)
    await store.close()
    await store.close()
    assert await store.token() == Token(5, 1)

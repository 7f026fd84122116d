"""What stays of erased subjects: found by the subject, and named nowhere (streams/store/erasure_keys.py)."""

from typing import Any

import pytest

from rules.ground.instants import FOREVER
from streams.errors import Fenced, Gap, Incident
from streams.store.erasure_keys import NO_KEYS, ErasureKeys
from streams.store.redis import RedisStore
from streams.store.terms import PartitionStore, Token
from tests.contract.store.conftest import Backend
from tests.contract.store.test_contract import FIRST, SUBJECTS, checkpoint, everything, filled, meta

OLD, NEW = ErasureKeys.read("o" * 32), ErasureKeys.read("n" * 32)
BOTH, TURNED = ErasureKeys.read(f"{'o' * 32}\n{'n' * 32}"), ErasureKeys.read(f"{'n' * 32}\n{'o' * 32}")
GONE = "patient:\U0001f600"
STAYS = b"what stays"


def erased(at: tuple[int, int], to: int, subject: str = GONE, blob: bytes = STAYS, **content: Any) -> Any:
    """Return a checkpoint in which nothing but its erasure is known of a subject any more."""
    given = {"profiles": {subject: blob}, "wakes": {subject: FOREVER}, "erased": {subject: True}}
    return checkpoint(at, to, **(given | content))


async def keyed(backend: Backend, keys: ErasureKeys = OLD) -> PartitionStore:
    """Return a store with keys, after the checkpoint FIRST."""
    await filled(backend)
    return backend.store(0, keys)


async def test_an_erased_subject_is_found_by_asking_and_named_nowhere(backend: Backend) -> None:
    store = await keyed(backend)
    assert GONE.encode() in await backend.told()
    await store.write(erased((5, 1), 2, left={"seg-a": [GONE]}))
    assert await store.profiles([GONE, "hcp:1", "hcp:nobody", GONE], [Token(5, 2)]) == [
        STAYS,
        FIRST.profiles["hcp:1"],
        None,
        STAYS,
    ]
    told = await backend.told()
    assert GONE.encode() not in told
    assert OLD.names(GONE)[0] in told
    seen = await everything(store)
    assert GONE not in seen["profiles"]
    assert GONE not in [subject for _, subject in seen["due"]]
    assert seen["meta"].erased_by == OLD.fingerprints
    assert seen["profiles"].keys() == set(SUBJECTS) - {GONE}


async def test_a_subject_that_was_never_known_can_be_erased(backend: Backend) -> None:
    store = await keyed(backend)
    await store.write(erased((5, 1), 2, "hcp:new"))
    assert await store.profiles(["hcp:new"], [Token(5, 2)]) == [STAYS]
    assert b"hcp:new" not in await backend.told()


async def test_who_begins_again_stands_under_its_name_again_and_nowhere_else(backend: Backend) -> None:
    store = await keyed(backend)
    before = await everything(store)
    await store.write(erased((5, 1), 2))
    await store.write(erased((5, 2), 3, blob=b"again", erased={GONE: False}, wakes={GONE: 7}))
    after = await everything(store)
    assert after["profiles"] == before["profiles"] | {GONE: b"again"}
    assert (7, GONE) in after["due"]
    assert OLD.names(GONE)[0] not in await backend.told()
    await store.write(erased((5, 3), 4, blob=b"forgotten again"))
    assert await store.profiles([GONE], [Token(5, 4)]) == [b"forgotten again"]
    assert GONE.encode() not in await backend.told()


async def test_without_a_key_the_name_stays_and_a_later_key_hides_it(backend: Backend) -> None:
    store = await keyed(backend, NO_KEYS)
    await store.write(erased((5, 1), 2))
    seen = await everything(store)
    assert seen["profiles"][GONE] == STAYS
    assert seen["meta"].erased_by == ()
    later = backend.store(0, NEW)
    assert await later.profiles([GONE], [Token(5, 2)]) == [STAYS]
    await later.write(erased((5, 2), 3, blob=b"touched"))
    assert await later.profiles([GONE], [Token(5, 3)]) == [b"touched"]
    assert GONE.encode() not in await backend.told()
    assert (await everything(later))["meta"].erased_by == NEW.fingerprints


async def test_keys_change_and_what_an_old_key_named_is_found_as_long_as_it_is_given(backend: Backend) -> None:
    store = await keyed(backend)
    await store.write(erased((5, 1), 2))
    turned = backend.store(0, TURNED)
    await turned.write(erased((5, 2), 3, "hcp:1", b"by the new key"))
    for keys in (BOTH, TURNED):
        found = await backend.store(0, keys).profiles([GONE, "hcp:1", "hcp:nobody"], [Token(5, 3)])
        assert found == [STAYS, b"by the new key", None]
    assert (await everything(turned))["meta"].erased_by == TURNED.fingerprints[::-1]
    await turned.write(erased((5, 3), 4, blob=b"touched"))
    told = await backend.told()
    assert NEW.names(GONE)[0] in told
    assert OLD.names(GONE)[0] not in told
    await turned.write(erased((5, 4), 5, blob=b"again", erased={GONE: False}))
    assert not {NEW.names(GONE)[0], OLD.names(GONE)[0]} & set((await backend.told()).split(b"|"))
    assert await turned.profiles([GONE], [Token(5, 5)]) == [b"again"]


@pytest.mark.parametrize("keys", [NO_KEYS, NEW], ids=["none", "another"])
async def test_who_lacks_a_key_that_named_is_told_before_it_takes_an_erased_one_for_a_stranger(
    backend: Backend, keys: ErasureKeys
) -> None:
    store = await keyed(backend)
    await store.write(erased((5, 1), 2))
    before = await everything(store)
    lacking = backend.store(0, keys)
    assert await lacking.profiles(["hcp:1"], [Token(5, 2)]) == [FIRST.profiles["hcp:1"]]
    for subject in (GONE, "hcp:nobody"):
        with pytest.raises(Incident, match="would take them for strangers: add it to SEGUE_ERASURE_KEY") as refused:
            await lacking.profiles(["hcp:1", subject], [Token(5, 2)])
        assert OLD.fingerprints[0] in str(refused.value)
    with pytest.raises(Incident, match="SEGUE_ERASURE_KEY"):
        await lacking.write(erased((5, 2), 3, "hcp:1"))
    # a refusal leaves no transaction open
    await lacking.write(checkpoint((5, 2), 3, profiles={"hcp:2": b"living"}))
    assert (await everything(store))["profiles"] == before["profiles"]
    assert await store.profiles([GONE, "hcp:2"], [Token(5, 3)]) == [STAYS, b"living"]


async def test_a_claim_and_a_plain_write_keep_which_keys_named(backend: Backend) -> None:
    store = await keyed(backend)
    await store.write(erased((5, 1), 2))
    raised = await backend.store().raise_epoch(Token(6, 0))
    assert raised.erased_by == OLD.fingerprints
    await store.write(checkpoint((6, 0), 1))
    found = await store.read_meta()
    assert found is not None
    assert found.erased_by == OLD.fingerprints
    await store.drop()
    assert await store.create(meta())
    assert await store.read_meta() == meta()
    assert await store.profiles([GONE], [Token(5, 0)]) == [None]


async def test_a_server_that_went_back_forgets_an_erasure_with_everything_else(backend: Backend) -> None:
    store = await keyed(backend)
    before, snapshot = await everything(store), await backend.snapshot()
    await store.write(erased((5, 1), 2))
    await backend.roll_back(snapshot)
    assert await everything(store) == before
    with pytest.raises(Gap):
        await store.profiles([GONE], [Token(5, 2)])
    await store.write(erased((5, 1), 2))
    await backend.store().raise_epoch(Token(9, 0))
    with pytest.raises(Fenced):
        await store.profiles([GONE], [Token(5, 2)])


async def test_many_are_asked_for_at_once(backend: Backend) -> None:
    store = await keyed(backend, BOTH)
    names = [f"lab:{number:05}" for number in range(3_001)]
    gone = dict.fromkeys(names[::3], True)
    await store.write(
        checkpoint(
            (5, 1),
            2,
            profiles={name: name.encode()[::-1] for name in names[:-2]},
            wakes=dict.fromkeys(names[:-2], 5_000),
            erased={name: True for name in gone if name in names[:-2]},
        )
    )
    found = await store.profiles(names, [Token(5, 2)])
    assert found == [name.encode()[::-1] for name in names[:-2]] + [None, None]
    assert len(await store.due(5_001, (2_000, "~"), 9_999, [Token(5, 2)])) == 2_999 - 1_000


async def test_an_onlooker_learns_whether_a_name_still_stands(backend: Backend) -> None:
    store = await keyed(backend)
    await store.write(erased((5, 1), 2))
    if isinstance(store, RedisStore):
        assert await store.named([GONE, "hcp:1", "hcp:nobody"]) == [False, True, False]

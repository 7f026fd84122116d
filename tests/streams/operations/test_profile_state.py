"""Reading a profile and its partition's `meta` at one moment, while workers go on."""

from dataclasses import replace

import pytest

from streams.errors import Unanswered
from streams.operations.errors import NoState
from streams.operations.profile_state import ATTEMPTS, read_together
from streams.store.terms import Checkpoint, Meta, Token
from tests.models.store import MemoryServer, MemoryStore, Request

META = Meta("g1", Token(4, 10), 7, 0, "", 1, "d", 0)


class Moving:
    """Carries requests; before the first few reads of profiles the token moves on: by a checkpoint, or by a claim."""

    def __init__(self, server: MemoryServer, *, claims: bool, times: int) -> None:
        self._server, self._claims, self._times = server, claims, times

    async def __call__(self, partition: int, name: str, request: Request) -> object:
        if name == "profiles" and self._times:
            self._times -= 1
            content = self._server.content(partition)
            assert content.meta is not None
            token = content.meta.token
            later = Token(token.epoch + 4, 0) if self._claims else Token(token.epoch, token.n + 1)
            blob = f"packed under {later}".encode()
            meta = replace(content.meta, token=later)
            self._server.put(partition, content.after(Checkpoint(token, meta, {"hcp:1": blob}, {}, {}, {}, {})))
        return request()


async def moving(*, claims: bool, times: int) -> MemoryStore:
    server = MemoryServer()
    store = MemoryStore(server, 0)
    assert await store.create(META)
    server.carry = Moving(server, claims=claims, times=times)
    return store


@pytest.mark.parametrize("claims", [False, True], ids=["a checkpoint", "a claim"])
async def test_both_are_read_again_when_a_worker_came_between(claims: bool) -> None:
    store = await moving(claims=claims, times=2)
    meta, [blob] = await read_together(store, 0, ["hcp:1"])
    assert meta.token == (Token(12, 0) if claims else Token(4, 12))
    assert blob == f"packed under {meta.token}".encode()


async def test_a_state_that_never_stands_still_is_not_answered() -> None:
    with pytest.raises(Unanswered):
        await read_together(await moving(claims=True, times=ATTEMPTS), 0, ["hcp:1"])


async def test_a_partition_without_state_is_named() -> None:
    with pytest.raises(NoState):
        await read_together(MemoryStore(MemoryServer(), 0), 0, ["hcp:1"])

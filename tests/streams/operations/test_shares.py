"""Shares of the subjects: halved until each has few enough, and together they are all."""

from streams.operations.shares import Share, TooMany, in_shares

KEYS = [f"hcp:{number}".encode() for number in range(1_000)]


async def test_a_share_that_has_too_many_is_halved_and_none_is_lost() -> None:
    asked: list[int] = []

    async def work(share: Share) -> list[bytes]:
        found = [key for key in KEYS if share(key, b"{}", ())]
        asked.append(len(found))
        if len(found) > 300:
            raise TooMany
        return found

    pages = [page async for page in in_shares(work)]
    assert asked[0] == 1_000
    assert len(pages) > 3
    assert sorted(key for page in pages for key in page) == sorted(KEYS)


def test_every_share_has_the_records_of_segue_itself() -> None:
    own = b'{"type":"segue.catalogue","data":{"catalogue":"x"}}'
    for share in (Share(), *Share().halves()):
        assert share(None, own, ())
        assert not share(None, b"{}", ())
    first, second = Share().halves()
    assert all(first(key, b"{}", ()) != second(key, b"{}", ()) for key in KEYS)

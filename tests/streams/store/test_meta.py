"""`meta` as an earlier version wrote it is read too."""

from rules.engine.cut import Cut, Introduced
from streams.store.keys import pack_meta, unpack_meta
from tests.contract.store.test_contract import meta


def test_cuts_without_what_fills_them_are_read() -> None:
    fields = {**pack_meta(meta()), "cuts": '[[1,-1,"b","hcp:1",[["a|b","seg-a",1,-1]]],[2,5,"c",null,[]]]'}
    assert unpack_meta(fields).cuts == (
        Cut(1, -1, "b", "hcp:1", (Introduced("a|b", "seg-a", 1, -1),)),
        Cut(2, 5, "c"),
    )

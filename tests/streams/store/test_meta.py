"""`meta` as an earlier version wrote it is read too."""

from dataclasses import replace

from rules.engine.cut import Cut, Introduced
from streams.store.keys import pack_meta, unpack_meta
from tests.contract.store.test_contract import meta


def test_cuts_without_what_fills_them_are_read() -> None:
    fields = {**pack_meta(meta()), "cuts": '[[1,-1,"b","hcp:1",[["a|b","seg-a",1,-1]]],[2,5,"c",null,[]]]'}
    assert unpack_meta(fields).cuts == (
        Cut(1, -1, "b", (Introduced("a|b", "seg-a", 1, -1),)),
        Cut(2, 5, "c"),
    )


def test_counts_of_activations_are_known_at_their_own_offset_only() -> None:
    counted = replace(meta(), active=(("a", "email", 2),))
    assert unpack_meta(pack_meta(counted)).active == (("a", "email", 2),)
    assert unpack_meta(pack_meta(replace(counted, active=()))).active == ()
    # an earlier version writes all fields but this one
    later = pack_meta(replace(counted, offset=counted.offset + 1, active=None))
    assert unpack_meta({**pack_meta(counted), **later}).active is None

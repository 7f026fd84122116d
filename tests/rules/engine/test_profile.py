"""A packed profile: what is read is what was packed, and blobs of the layout before are read too."""

import orjson
import pytest

from rules.conditions.view import Mark, Register
from rules.engine.profile import LAYOUT, unpack
from rules.ground.instants import FOREVER

OF_LAYOUT_2 = (
    b'[2,1,1772323200000,1772323200001,1,1772496000000,4,1,1772496000002,{"specialty":[1772496000000,"/s","e3","hem"]}'
    b',[["email","p",1772496000000,null]],{"WGC0qdOc":[[1772409600000,"/s","e2",2],[1772496000000,"/s","e3",3]]}'
    b',{"a":[1,1772496000000,null,0,[1772496000000,3,1],null]},{"a":1772496000005}'
    b',{"20513":[12265113809166544268],"20515":[6079844278205707858,1449955954178596051]},{"x":[1,null]},{"email":1}]'
)
"""As the version wrote it that kept the instant of the first record (1772323200001 here)."""
OF_LAYOUT_3 = OF_LAYOUT_2.replace(b"[2,", b"[3,", 1).replace(b",1772323200001", b"", 1)


@pytest.mark.parametrize("blob", [OF_LAYOUT_2, OF_LAYOUT_3], ids=["layout 2", "layout 3"])
def test_a_blob_of_either_layout_is_read_whole_and_packed_in_the_newest(blob: bytes) -> None:
    profile = unpack("hcp:1", blob)
    assert (profile.subject, profile.kind, profile.cut, profile.born_cut) == ("hcp:1", "hcp", 1, 1)
    assert (profile.known_since_ms, profile.latest_ms) == (1_772_323_200_000, 1_772_496_000_000)
    assert (profile.arrivals, profile.sequence, profile.evaluated_ms) == (4, 1, 1_772_496_000_002)
    assert profile.traits == {"specialty": Register(1_772_496_000_000, "/s", "e3", "hem")}
    assert profile.consents == {("email", "p"): (1_772_496_000_000, None)}
    assert profile.states["WGC0qdOc"] == [[1_772_409_600_000, "/s", "e2", 2], [1_772_496_000_000, "/s", "e3", 3]]
    stay = profile.stays["a"]
    assert (stay.member, stay.since_ms, stay.last_exit_ms, stay.disarmed) == (True, 1_772_496_000_000, None, False)
    assert (stay.entry_mark, stay.exit_mark) == (Mark(1_772_496_000_000, 3, 1), None)
    assert (profile.wakes, profile.wake_ms) == ({"a": 1_772_496_000_005}, 1_772_496_000_005)
    assert list(profile.seen.items()) == [
        (12_265_113_809_166_544_268, 20_513),
        (6_079_844_278_205_707_858, 20_515),
        (1_449_955_954_178_596_051, 20_515),
    ]
    assert (profile.activations["x"].active, profile.activations["x"].was, profile.sequences) == (
        True,
        None,
        {"email": 1},
    )
    assert profile.pack() == OF_LAYOUT_3


def test_a_profile_without_wakes_is_due_never() -> None:
    fields = orjson.loads(OF_LAYOUT_3)
    fields[12] = {}
    assert unpack("hcp:1", fields).wake_ms == FOREVER


@pytest.mark.parametrize("layout", [1, LAYOUT + 1])
def test_a_blob_of_another_layout_is_refused(layout: int) -> None:
    blob = OF_LAYOUT_3.replace(b"[3,", f"[{layout},".encode(), 1)
    with pytest.raises(ValueError, match=f"layout {layout}; this version reads 2 and 3"):
        unpack("hcp:1", blob)

"""A packed profile: what is read is what was packed, and blobs of the layouts before are read too."""

from typing import Any

import pytest
from msgspec import msgpack

from rules.conditions.view import Grant, Mark, Register
from rules.engine.affiliations.memories import TIES
from rules.engine.identities import SEEN_DAYS
from rules.engine.layout import LAYOUT
from rules.engine.old_layouts import take_former
from rules.engine.plan import make_plan
from rules.engine.profile import Profile, unpack
from rules.engine.stay import Standing, Stay
from rules.ground.event import Event, Value
from rules.ground.instants import FOREVER, MS_PER_DAY
from rules.language.dictionary import WITHDRAWN
from tests.rules.catalogues import load, segment

OF_LAYOUT_2 = (
    b'[2,1,1772323200000,1772323200001,1,1772496000000,4,1,1772496000002,{"specialty":[1772496000000,"/s","e3","hem"],'
    b'"tier":[1772496000000,"/s","e3",["a","b"]],"role":[1772409600000,"/s","e2",null]}'
    b',[["email","p",1772496000000,null]],{"WGC0qdOc":[[1772409600000,"/s","e2",2],[1772496000000,"/s","e3",3]]}'
    b',{"a":[1,1772496000000,null,0,[1772496000000,3,1],null]},{"a":1772496000005}'
    b',{"20513":[12265113809166544268],"20515":[6079844278205707858,1449955954178596051]},{"x":[1,null]},{"email":1}]'
)
"""As the version wrote it that kept the instant of the first record (1772323200001 here)."""
OF_LAYOUT_3 = OF_LAYOUT_2.replace(b"[2,", b"[3,", 1).replace(b",1772323200001", b"", 1)
FIELDS: list[Any] = [
    *(LAYOUT, 1, 1_772_323_200_000, 1, 1_772_496_000_000, 4, 1, 1_772_496_000_002),
    [
        [1_772_496_000_000, "/s", "e3", {"specialty": "hem", "tier": ["a", "b"]}],
        [1_772_409_600_000, "/s", "e2", {"role": None}],
    ],
    [["email", "p", 1_772_496_000_000, None]],
    {"WGC0qdOc": [[1_772_409_600_000, "/s", "e2", 2], [1_772_496_000_000, "/s", "e3", 3]]},
    {"a": [True, 1_772_496_000_000, None, False, [1_772_496_000_000, 3, 1], None, None]},
    {"a": 1_772_496_000_005},
    {12_265_113_809_166_544_268: 20_513, 6_079_844_278_205_707_858: 20_515, 1_449_955_954_178_596_051: 20_515},
    {"x": [True, None, False]},
    {"email": 1},
    None,
    None,
    None,
]
PACKED = msgpack.encode(FIELDS)
OF_LAYOUT_4 = msgpack.encode(
    [
        *(4, *FIELDS[1:11]),
        {"a": [True, 1_772_496_000_000, None, False, [1_772_496_000_000, 3, 1], None]},
        *FIELDS[12:14],
        {"x": [True, None]},
        FIELDS[15],
    ]
)


@pytest.mark.parametrize(
    "blob", [OF_LAYOUT_2, OF_LAYOUT_3, OF_LAYOUT_4, PACKED], ids=["layout 2", "layout 3", "layout 4", "layout 5"]
)
def test_a_blob_of_each_layout_is_read_whole_and_packed_in_the_newest(blob: bytes) -> None:
    assert unpack("hcp:1", blob).pack() == PACKED
    profile = unpack("hcp:1", blob)
    assert (profile.subject, profile.kind, profile.cut, profile.born_cut) == ("hcp:1", "hcp", 1, 1)
    assert (profile.known_since_ms, profile.latest_ms) == (1_772_323_200_000, 1_772_496_000_000)
    assert (profile.arrivals, profile.sequence, profile.evaluated_ms) == (4, 1, 1_772_496_000_002)
    assert profile.traits == {
        "specialty": Register(1_772_496_000_000, "/s", "e3", "hem"),
        "tier": Register(1_772_496_000_000, "/s", "e3", ("a", "b")),
        "role": Register(1_772_409_600_000, "/s", "e2", None),
    }
    assert profile.consents == {("email", "p"): (Grant(1_772_496_000_000, "", "", None), None)}
    assert profile.states["WGC0qdOc"] == [[1_772_409_600_000, "/s", "e2", 2], [1_772_496_000_000, "/s", "e3", 3]]
    assert profile.stays == {
        "a": Stay(member=True, since_ms=1_772_496_000_000, entry_mark=Mark(1_772_496_000_000, 3, 1))
    }
    assert isinstance(profile.stays["a"].entry_mark, Mark)
    assert (profile.wakes, profile.wake_ms) == ({"a": 1_772_496_000_005}, 1_772_496_000_005)
    assert list(profile.seen.days.items()) == list(FIELDS[13].items())
    assert (profile.activations, profile.sequences) == ({"x": Standing(active=True)}, {"email": 1})
    assert profile.pack() == PACKED


def test_traits_and_consents_that_change_are_packed_anew_and_others_as_they_were() -> None:
    profile = unpack("hcp:1", PACKED)
    profile.set_trait("role", Register(1_772_496_000_001, "/s", "e4", "lead"))
    data: dict[str, Value] = {"channel": "email", "purpose": "p"}
    withdrawal = Event("/s", "e4", WITHDRAWN, "hcp:1", 1_772_496_000_001, data, ())
    assert profile.fold_consent(withdrawal)
    assert not profile.fold_consent(withdrawal)
    fields = msgpack.decode(profile.pack(), strict=False)
    assert fields[8] == [FIELDS[8][0], [1_772_496_000_001, "/s", "e4", {"role": "lead"}]]
    assert fields[9] == [["email", "p", [1_772_496_000_000, "", "", None], [1_772_496_000_001, "/s", "e4"]]]
    again = unpack("hcp:1", profile.pack())
    assert (again.traits, again.consents) == (profile.traits, profile.consents)


def test_a_profile_without_wakes_is_due_never() -> None:
    assert unpack("hcp:1", msgpack.encode([*FIELDS[:12], {}, *FIELDS[13:]])).wake_ms == FOREVER


def test_identities_that_are_known_no_more_are_not_packed() -> None:
    profile = Profile("hcp:1", 1, 0, 0)
    for day in (0, 0, 1, SEEN_DAYS + 1):
        profile.seen.remember(len(profile.seen.days), day * MS_PER_DAY)
    profile.evaluated_ms = (SEEN_DAYS + 1) * MS_PER_DAY
    assert unpack("hcp:1", profile.pack()).seen.days == {2: 1, 3: SEEN_DAYS + 1}
    known = [profile.seen.recognises(identity, profile.evaluated_ms) for identity in range(4)]
    assert known == [False, False, True, True]


@pytest.mark.parametrize("layout", [1, LAYOUT])
def test_a_json_blob_of_another_layout_is_refused(layout: int) -> None:
    with pytest.raises(ValueError, match=f"layout {layout}; this version reads 2 to 5"):
        unpack("hcp:1", OF_LAYOUT_3.replace(b"[3,", f"[{layout},".encode(), 1))


@pytest.mark.parametrize("layout", [3, LAYOUT + 1])
def test_a_blob_of_another_layout_is_refused(layout: int) -> None:
    with pytest.raises(ValueError, match=f"layout {layout}; this version reads 2 to 5"):
        unpack("hcp:1", msgpack.encode([layout, *FIELDS[1:]]))


@pytest.mark.parametrize("blob", [b"", b"\xc1", PACKED[:-1], msgpack.encode([*FIELDS[:8], 1])])
def test_what_is_no_packed_profile_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unpack("hcp:1", blob)


def test_absences_of_an_older_layout_become_one_state_and_the_latest_match_stays() -> None:
    absences = "{all: [{absent: portal.login, within: 7d}, {absent: portal.login, within: 30d}]}"
    plan = make_plan(load({"segments/a.yaml": segment("a", enter=absences)}))
    (key,) = plan.states.keys() - {TIES.state_key}
    earlier, later = [1_772_323_200_000, "/s", "e1"], [1_772_496_000_000, "/s", "e3"]
    of_7d, of_30d = plan.states[key].former_keys
    states = {of_7d: later, of_30d: earlier, "another": [[1_772_496_000_000, "/s", "e3", 3]]}
    take_former(states, plan.states)
    assert states == {key: later, "another": [[1_772_496_000_000, "/s", "e3", 3]]}


def test_the_former_keys_are_those_that_the_version_before_wrote() -> None:
    absence = "{absent: [portal.viewed], where: {topic: {equals: x}}, within: 3d}"
    states = make_plan(load({"segments/a.yaml": segment("a", enter=absence)})).states
    (memory,) = (states[key] for key in states.keys() - {TIES.state_key})
    assert memory.former_keys == ("GZXeACbr",)

"""Identities are what a dict would be, and are packed as it would be, however often and whatever is kept of them."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.msgpack import encode

from rules.engine.identities import SEEN_DAYS, SEEN_MAX, Identities
from rules.engine.layout import MANY, OFTEN
from rules.ground.instants import MS_PER_DAY

WIDE = st.integers(1 << 32, (1 << 64) - 1)
"""Nearly every identity …"""
IDENTITIES = WIDE | st.integers(0, (1 << 64) - 1) | st.integers(0, 300)
"""… and some that are packed shorter."""
DAYS = st.sampled_from([-3, 0, 120, 250, 20_000, 65_530])
"""Before days that are packed shorter or longer."""


class IdentitiesMachine(RuleBasedStateMachine):
    """Whatever is done, they are what a dict would be."""

    def __init__(self) -> None:
        super().__init__()
        self.identities = Identities()
        self.wanted: dict[int, int] = {}
        self.day = 0

    def put(self, identity: int) -> None:
        self.identities.remember(identity, self.day * MS_PER_DAY)
        self.wanted.pop(identity, None)
        if len(self.wanted) >= SEEN_MAX:
            del self.wanted[next(iter(self.wanted))]
        self.wanted[identity] = self.day

    @rule(identity=IDENTITIES)
    def remember(self, identity: int) -> None:
        if not self.identities.recognises(identity, self.day * MS_PER_DAY):
            self.put(identity)

    @rule(first=st.integers(1 << 32, 1 << 63), count=st.sampled_from([MANY - 1, MANY, SEEN_MAX]))
    def remember_many(self, first: int, count: int) -> None:
        for identity in range(first, first + count):
            self.remember(identity)

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def come_again(self, data: st.DataObject) -> None:
        self.remember(data.draw(st.sampled_from(list(self.wanted))))

    @rule(days=st.integers(1, SEEN_DAYS + 1))
    def wait(self, days: int) -> None:
        self.day += days

    @rule(day=DAYS)
    def wait_until(self, day: int) -> None:
        self.day = max(self.day, day)

    @rule(times=st.sampled_from([1, 2, OFTEN + 1]))
    def pack(self, times: int) -> None:
        self.wanted = {identity: day for identity, day in self.wanted.items() if day >= self.day - SEEN_DAYS}
        for _ in range(times):
            assert encode(self.identities.pack(self.day * MS_PER_DAY)) == encode(self.wanted)

    @rule()
    def write_and_read(self) -> None:
        self.wanted = {identity: day for identity, day in self.wanted.items() if day >= self.day - SEEN_DAYS}
        self.identities = Identities(self.identities.pack(self.day * MS_PER_DAY))

    @invariant()
    def same(self) -> None:
        assert list(self.identities.days.items()) == list(self.wanted.items())


TestIdentities = IdentitiesMachine.TestCase


@given(st.lists(IDENTITIES, unique=True), st.lists(IDENTITIES, unique=True))
def test_those_of_another_part_come_to_them(mine: list[int], others: list[int]) -> None:
    first, second = Identities(), Identities()
    for identity in mine:
        first.remember(identity, 0)
    for identity in others:
        second.remember(identity, MS_PER_DAY)
    before = first.copy()
    first.join(second)
    assert first.days == dict.fromkeys(mine, 0) | dict.fromkeys(others, 1)
    assert (before.days, second.days) == (dict.fromkeys(mine, 0), dict.fromkeys(others, 1))


@given(st.lists(WIDE, min_size=MANY + 9, max_size=2 * MANY, unique=True), st.integers(0, 9))
def test_what_is_kept_of_them_is_not_packed_again(found: list[int], count: int) -> None:
    new, known = found[:count], found[count:]
    identities = Identities()
    for identity in known:
        identities.remember(identity, 20_000 * MS_PER_DAY)
    for _ in range(OFTEN):
        identities.pack(20_000 * MS_PER_DAY)
    identities.days[known[0]] = 19_999  # nobody may do so: it would show
    for identity in new:
        identities.remember(identity, 20_000 * MS_PER_DAY)
    assert encode(identities.pack(20_000 * MS_PER_DAY)) == encode(dict.fromkeys([*known, *new], 20_000))

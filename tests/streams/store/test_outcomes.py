"""The rules of the token: the table is whole, and what the functions do is what it says."""

from itertools import combinations, product
from typing import get_args

import pytest

from streams.errors import Fenced, Gap, Incident
from streams.store.outcomes import (
    CALLS,
    OUTCOMES,
    RELATIONS,
    TOKEN_RULES,
    Call,
    Outcome,
    Relation,
    judge_raise,
    judge_read,
    judge_write,
    raise_relation,
    read_relation,
    write_relation,
)
from streams.store.terms import Token

TOKENS = [Token(epoch, n) for epoch in (4, 5, 6) for n in (0, 1, 2)]
STORED = [None, *TOKENS]
READS = [tuple(TOKENS[at] for at in places) for size in (1, 2) for places in combinations(range(len(TOKENS)), size)]
WRITES = [(expect, new) for expect, new in product(TOKENS, TOKENS) if expect.epoch == new.epoch and expect < new]


def test_the_table_has_a_rule_for_every_pair_that_occurs_and_no_other() -> None:
    met: set[tuple[Call, Relation]] = set()
    met |= {("read", read_relation(stored, expect)) for stored, expect in product(STORED, READS)}
    met |= {("write", write_relation(stored, *write)) for stored, write in product(STORED, WRITES)}
    met |= {("raise", raise_relation(stored, claimed)) for stored, claimed in product(STORED, TOKENS)}
    assert met == set(TOKEN_RULES)


def test_every_word_of_the_table_has_a_meaning_and_is_used() -> None:
    assert set(CALLS) == set(get_args(Call)) == {call for call, _ in TOKEN_RULES}
    assert set(RELATIONS) == set(get_args(Relation)) == {relation for _, relation in TOKEN_RULES}
    assert set(OUTCOMES) == set(get_args(Outcome)) == {rule.outcome for rule in TOKEN_RULES.values()}


REFUSALS: dict[Outcome, type[Exception]] = {"FENCED": Fenced, "GAP": Gap, "INCIDENT": Incident}


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_reads_do_what_the_table_says(stored: Token | None) -> None:
    for expect in READS:
        refusal = REFUSALS.get(TOKEN_RULES["read", read_relation(stored, expect)].outcome)
        if refusal is None:
            judge_read(stored, expect)
            assert stored in expect
        else:
            with pytest.raises(refusal):
                judge_read(stored, expect)


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_writes_do_what_the_table_says(stored: Token | None) -> None:
    for expect, new in WRITES:
        outcome = TOKEN_RULES["write", write_relation(stored, expect, new)].outcome
        if outcome in REFUSALS:
            with pytest.raises(REFUSALS[outcome]):
                judge_write(stored, expect, new)
        else:
            assert judge_write(stored, expect, new) == (outcome == "APPLY")
            assert stored == (expect if outcome == "APPLY" else new)


@pytest.mark.parametrize("stored", STORED, ids=str)
def test_claims_do_what_the_table_says(stored: Token | None) -> None:
    for claimed in TOKENS:
        outcome = TOKEN_RULES["raise", raise_relation(stored, claimed)].outcome
        if outcome in REFUSALS:
            with pytest.raises(REFUSALS[outcome]):
                judge_raise(stored, claimed)
        else:
            assert stored is not None
            assert judge_raise(stored, claimed) == max(stored, claimed)


@pytest.mark.parametrize("stored", TOKENS, ids=str)
def test_nothing_applies_below_a_higher_epoch(stored: Token) -> None:
    for expect, new in WRITES:
        if stored.epoch > new.epoch:
            with pytest.raises(Fenced):
                judge_write(stored, expect, new)
    for claimed in TOKENS:
        if stored.epoch > claimed.epoch:
            with pytest.raises(Fenced):
                judge_raise(stored, claimed)

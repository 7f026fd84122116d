"""What a stored token means for a call: the rules of the token, for every store.

A token `<epoch>.<n>` names one content of a partition's state. The epoch is the offset of the owner's claim; n counts
the owner's writes. Every call that reads or writes state names the token that it rests on. The store compares that
token with the stored one, in the same atomic step as the call itself:

1. `read_relation`, `write_relation` and `raise_relation` say how the stored token stands to the call.
2. The table `TOKEN_RULES` gives the outcome for (call, relation). It has a rule for every pair that can occur.
3. `judge_read`, `judge_write` and `judge_raise` return what the outcome asks for, or raise its error.

A refusal (INCIDENT, FENCED, GAP) changes nothing in the store. docs/protocol.md draws the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from streams.errors import Fenced, Gap, Incident
from streams.store.terms import Token

Call: TypeAlias = Literal["read", "write", "raise"]
Relation: TypeAlias = Literal["no meta", "expected", "new", "lower", "higher epoch", "other"]
Outcome: TypeAlias = Literal["ANSWER", "APPLY", "DUP", "FENCED", "GAP", "INCIDENT"]

CALLS: Final[Mapping[Call, str]] = {
    "read": "An owner reads profiles, wakes or subjects; it names the tokens that it may meet.",
    "write": "An owner writes a checkpoint; it names the token before it and the new token.",
    "raise": "A claim raises the epoch (step 5); it names the token that it wants to stand.",
}
"""The calls that compare tokens, and what each names."""

RELATIONS: Final[Mapping[Relation, str]] = {
    "no meta": "The partition has no `meta`, so there is no stored token.",
    "expected": "The stored token is one that the caller expects.",
    "new": "The stored token is the call's new token already (for a claim: that token, or a higher n of its epoch).",
    "lower": "The stored token sorts below the claimed token: a lower epoch, or a lower n of the same epoch.",
    "higher epoch": "The stored token has a higher epoch than every token that the call names.",
    "other": "The stored token is any other.",
}
"""How the stored token can stand to a call. The first relation that fits counts."""

OUTCOMES: Final[Mapping[Outcome, str]] = {
    "ANSWER": "The read is answered.",
    "APPLY": "The write is applied, and the new token stands.",
    "DUP": "The write stands already: its reply was lost. Nothing is written, and the caller goes on.",
    "FENCED": "Another owner has claimed the partition. The caller stops.",
    "GAP": "The store has gone back (a failover, a restored backup). The caller reads `meta` and replays the log.",
    "INCIDENT": "The state is missing. The partition stops, and a person decides.",
}
"""What each outcome means for the caller."""

NO_META: Final = "no meta for this partition: run `segue topics` for a new deployment, `segue rebuild` after a loss"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the table: the outcome, and why it is right."""

    outcome: Outcome
    why: str


TOKEN_RULES: Final[Mapping[tuple[Call, Relation], Rule]] = {
    ("read", "no meta"): Rule("INCIDENT", "An empty store is never taken for an empty audience."),
    ("read", "expected"): Rule("ANSWER", "What was read belongs to the content that the owner knows."),
    ("read", "higher epoch"): Rule("FENCED", "A later claim has raised the epoch."),
    ("read", "other"): Rule("GAP", "The owner did not write this content, or wrote it too long ago."),
    ("write", "no meta"): Rule("INCIDENT", "A checkpoint holds changes only; it cannot stand alone."),
    ("write", "expected"): Rule("APPLY", "The checkpoint was made for exactly this content."),
    ("write", "new"): Rule("DUP", "A token names one content for ever, so this is the same checkpoint."),
    ("write", "higher epoch"): Rule("FENCED", "A later claim has raised the epoch: a zombie's write ends here."),
    ("write", "other"): Rule("GAP", "Changes on top of another content would make a state that never was."),
    ("raise", "no meta"): Rule("INCIDENT", "A claim never makes state: `segue topics` or `segue rebuild` does."),
    ("raise", "lower"): Rule("APPLY", "From now on no checkpoint of an earlier owner applies."),
    ("raise", "new"): Rule("DUP", "The claim's own call was applied before; the higher n stays."),
    ("raise", "higher epoch"): Rule("FENCED", "A later claim was faster."),
}


def read_relation(stored: Token | None, expect: Sequence[Token]) -> Relation:
    """Return how the stored token stands to a read that expects one of the tokens."""
    if stored is None:
        return "no meta"
    if stored in expect:
        return "expected"
    return "higher epoch" if stored.epoch > max(one.epoch for one in expect) else "other"


def write_relation(stored: Token | None, expect: Token, new: Token) -> Relation:
    """Return how the stored token stands to a checkpoint from `expect` to `new`."""
    if stored is None:
        return "no meta"
    if stored == expect:
        return "expected"
    if stored == new:
        return "new"
    return "higher epoch" if stored.epoch > new.epoch else "other"


def raise_relation(stored: Token | None, claimed: Token) -> Relation:
    """Return how the stored token stands to a claim."""
    if stored is None:
        return "no meta"
    if stored.epoch > claimed.epoch:
        return "higher epoch"
    return "lower" if stored < claimed else "new"


def present(stored: Token | None) -> Token:
    """Return the stored token. Raises Incident: there is no `meta`."""
    if stored is None:
        raise Incident(NO_META)
    return stored


def judge_read(stored: Token | None, expect: Sequence[Token]) -> None:
    """Return if the read is answered. Raises Incident, Fenced, Gap."""
    outcome = TOKEN_RULES["read", read_relation(stored, expect)].outcome
    _refuse(outcome, stored, f"expected {' or '.join(map(str, expect))}")


def judge_write(stored: Token | None, expect: Token, new: Token) -> bool:
    """Return whether the checkpoint is to be applied; False: it stands already (DUP). Raises Incident, Fenced, Gap."""
    outcome = TOKEN_RULES["write", write_relation(stored, expect, new)].outcome
    _refuse(outcome, stored, f"expected {expect}, new {new}")
    return outcome == "APPLY"


def judge_raise(stored: Token | None, claimed: Token) -> Token:
    """Return the token that stands after claim step 5; the stored one: nothing to write. Raises Incident, Fenced."""
    outcome = TOKEN_RULES["raise", raise_relation(stored, claimed)].outcome
    _refuse(outcome, stored, f"claimed {claimed}")
    return claimed if outcome == "APPLY" else present(stored)


def _refuse(outcome: Outcome, stored: Token | None, call: str) -> None:
    """Raise the error of an outcome that is a refusal; return otherwise."""
    if outcome == "INCIDENT":
        raise Incident(NO_META)
    if outcome == "FENCED":
        raise Fenced(f"stored {stored}, {call}")
    if outcome == "GAP":
        raise Gap(f"stored {stored}, {call}")

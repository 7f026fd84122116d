"""What a stored token means to whoever asks: the outcomes of design section 4, once, for every store.

| asks       | stored             | outcome                                                     |
|------------|--------------------|-------------------------------------------------------------|
| any        | none               | Incident                                                    |
| read       | one of the expected| fine                                                        |
| write      | expected           | apply                                                       |
| write      | the new token      | DUP: our own write, its reply was lost; nothing to do       |
| raise      | a lower epoch      | apply                                                       |
| raise      | the same epoch     | apply the higher n of the two                               |
| any        | a higher epoch     | Fenced                                                      |
| read, write| anything else      | Gap                                                         |
"""

from collections.abc import Sequence

from streams.errors import Fenced, Gap, Incident
from streams.store.terms import Token


def present(stored: Token | None) -> Token:
    """Return the stored token; Incident where there is no `meta`."""
    if stored is None:
        raise Incident(
            "no meta for this partition: run `segue topics` for a new deployment, `segue rebuild` after a loss"
        )
    return stored


def judge_read(stored: Token | None, expect: Sequence[Token]) -> None:
    """Return if what was read belongs to one of the expected tokens; Incident, Fenced or Gap otherwise."""
    token = present(stored)
    if token in expect:
        return
    if token.epoch > max(one.epoch for one in expect):
        raise Fenced(f"stored {token}")
    raise Gap(f"stored {token}, expected {' or '.join(map(str, expect))}")


def judge_write(stored: Token | None, expect: Token, new: Token) -> bool:
    """Tell whether a checkpoint is to be applied (True) or stands already (False, DUP); Incident, Fenced, Gap."""
    token = present(stored)
    if token == expect:
        return True
    if token == new:
        return False
    if token.epoch > new.epoch:
        raise Fenced(f"stored {token}, ours {new}")
    raise Gap(f"stored {token}, expected {expect}")


def judge_raise(stored: Token | None, claimed: Token) -> Token:
    """Return the token that stands after claim step 5 (the stored one: nothing to write); Incident, Fenced."""
    token = present(stored)
    if token.epoch > claimed.epoch:
        raise Fenced(f"stored {token}, claimed {claimed}")
    return max(token, claimed)

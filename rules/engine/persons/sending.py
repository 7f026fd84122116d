"""The effects that a profile sends to another subject (`rules.engine.persons.effects`).

A relink tells two subjects of it: the one that the alias leaves (*withdrawn*, `to` the other), and the one that it
stands for now (*facts*, `instead` of the former). If the links from both lead to one end, the end would lose the facts
and get them back: a stay would end, and another begin. So a subject holds the facts if `to` is a direct alias of its
own, until they have come that way. Three rules keep it from holding them for ever:

1. `to`, wherever its own link leads by then, answers with the `left` facts: to the subject that the alias left, in one
   effect with the facts if that is where its link leads. A subject that holds nothing passes the answer on as it passed
   the withdrawal on. So the answer comes by the way of the withdrawal, after it.
2. An alias that leaves, or is erased, takes along what it brought, what was held of that, and what is held for it.
3. What an alias brings again is held no longer.
"""

from collections.abc import Mapping, Set
from typing import Any

from rules.engine.persons.at_hand import AtHand
from rules.engine.persons.contribution import write_brought
from rules.engine.persons.effects import FACTS_TYPE, WITHDRAWN_TYPE, Effect
from rules.engine.persons.lacking import note_origin
from rules.engine.persons.packed import Identity
from rules.engine.persons.steps import At, Brought, brought_by
from rules.engine.persons.taking_over import Taken, as_json
from rules.engine.profile import Profile


class Sending(AtHand):
    """Puts effects into `At.effects`."""

    def _send(
        self, profile: Profile, type_: str, subject: str, passed: tuple[str, ...], told: Mapping[str, Any], at: At
    ) -> None:
        """Send an effect to another subject. `passed`: the subjects that it came through before this one."""
        way = (*passed, profile.subject)
        at.effects.append(Effect(subject, type_, {"way": way, "event": at.events[0], **told}))

    def _bring(
        self,
        profile: Profile,
        subject: str,
        passed: tuple[str, ...],
        brought: Brought,
        at: At,
        *,
        link: Identity | None = None,
        taken: Taken | None = None,
        **besides: Any,
    ) -> None:
        """Send facts. `link`: the link event, if all facts of an alias come by it. `besides`: what is there sometimes.

        Besides: `instead`, the subject that the alias stood for before; `withdrawn`, whose facts come no longer.
        """
        plan = self._host.plan_of(profile)
        for _, part in brought:
            note_origin(profile, part, plan)
        told: dict[str, Any] = {
            "states": plan.kept,
            "link": None if link is None else [*link],
            "parts": write_brought(brought, plan, at.r_ms),
            "taken": {} if taken is None else as_json(taken),
        }
        if taken is not None and taken.active is not None:
            told["active"] = dict(taken.active)
        told |= {name: value for name, value in besides.items() if value}
        self._send(profile, FACTS_TYPE, subject, passed, told, at)

    def _show(
        self,
        profile: Profile,
        shown: Set[str],
        moved: Set[str],
        way: tuple[str, ...],
        at: At,
        *,
        taken: Taken | None = None,
        to: str | None = None,
        instead: str | None = None,
    ) -> None:
        """Let the subject that an alias stands for have what moved. `shown`: whose facts that one had before.

        Facts that reach it another way now are told again, with that way: a subject may have them by several ways while
        links move, and what is left of these must be known further on. What it has no more is taken back, in the same
        effect if there is one.
        """
        person = profile.linked()
        target = person.canonical
        assert target is not None
        if target in way:
            at.marks.append("came_round")
            taken = None
        lost = sorted(shown - person.shown())
        brought = brought_by(profile, self._host.plan_of(profile), at.r_ms, moved)
        if brought or instead is not None or (taken is not None and taken.stays):
            self._bring(profile, target, way, brought, at, taken=taken, instead=instead, withdrawn=lost)
        elif lost:
            self._send(
                profile, WITHDRAWN_TYPE, target, way, {"origins": lost, **({} if to is None else {"to": to})}, at
            )

    def _answer(self, profile: Profile, left: str, to: str, subject: str, passed: tuple[str, ...], at: At) -> None:
        """Answer a withdrawal: the facts that `left` brought have come by way of `to`, as far as they come that way."""
        self._send(profile, WITHDRAWN_TYPE, subject, passed, {"origins": [], "left": left, "to": to}, at)

"""What organisations told, for the naive evaluator: the records of several partitions, as one of them saw them.

The naive evaluator reads one file as one partition, and an organisation in it tells everybody at once. In Kafka each
subject is told by a record of its own partition, a little later, and at an instant of its own. So in the file each
subject that is tied has an organisation of its own: one of another name, to which its ties lead. It is told each fact
at the instant at which that fact came to the subject. No change and no rule of the demo names an organisation.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import orjson

from rules.ground.instants import format_instant
from rules.language.dictionary import ENDED, STARTED
from rules.language.reaches import ORGANISATION
from streams.demo.check import Arrived, Ledger, Line

TIES: Final = (STARTED, ENDED)


def tell_apart(ledgers: Sequence[Ledger]) -> tuple[list[Ledger], set[str]]:
    """Return the ledgers with ties rewritten and with what organisations told; and who was told something."""
    tellers = {organisation for ledger in ledgers for organisation, _ in ledger.reached.values()}
    facts = {
        (line.subject, _name(line.value)): line
        for ledger in ledgers
        for line in ledger.lines
        if line.subject in tellers
    }
    found: list[Ledger] = []
    for ledger in ledgers:
        lines = [_with_own_organisation(line) for line in ledger.lines]
        for (subject, name), (organisation, arrived) in ledger.reached.items():
            lines.append(_told(facts[organisation, name], subject, arrived))
        found.append(replace(ledger, lines=sorted(lines, key=lambda line: line.place)))
    return found, {subject for ledger in ledgers for subject, _ in ledger.reached}


def _name(value: bytes) -> str:
    event = orjson.loads(value)
    return f"{event['source']} {event['id']}"


def _own(organisation: str, subject: str) -> str:
    """Name the organisation that one subject has in the file."""
    return f"{organisation}.{subject.replace(':', '-')}"


def _with_own_organisation(line: Line) -> Line:
    """Let a tie lead to the subject's own organisation."""
    if not any(each.encode() in line.value for each in TIES):
        return line
    event = orjson.loads(line.value)
    if event["type"] not in TIES:
        return line
    data = {**event["data"], ORGANISATION: _own(event["data"][ORGANISATION], line.subject)}
    return line._replace(value=orjson.dumps({**event, "data": data}))


def _told(fact: Line, subject: str, arrived: Arrived) -> Line:
    """Let the subject's own organisation be told a fact when the subject was."""
    event = orjson.loads(fact.value)
    moved = {"subject": _own(event["subject"], subject), "recordedtime": format_instant(arrived.at_ms)}
    return Line(subject, orjson.dumps({**event, **moved}), arrived.at_ms, arrived.place)

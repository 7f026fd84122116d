"""The check that a version stands for one text: what differs from what was in force has a higher version."""

from collections.abc import Iterator, Sequence
from itertools import chain

import orjson

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.versions import (
    Definition,
    Ledger,
    definitions_before,
    definitions_in,
    definitions_of,
    extend,
    read_ledger,
)
from rules.catalogue.versions import version_problems as problems_of
from rules.language.problems import Problem
from streams.operations.applying.situation import InForce, Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import VersionsWrong
from streams.operations.servers import Servers
from streams.wire.applies import is_apply


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Refuse a catalogue whose versions do not tell its texts apart. Raises VersionsWrong.

    A catalogue that was in force before, as it was, gives every text the version that it had: `--back` is not asked.
    """
    if situation.options.back:
        return ()
    problems = wrong_versions(situation.catalogue, situation.in_force, situation.ledger)
    if problems:
        raise VersionsWrong(problems)
    return ()


def wrong_versions(catalogue: Catalogue, in_force: InForce | None, ledger: Ledger) -> list[Problem]:
    """Return what is wrong with the versions of a new catalogue, each at its place with the number to write."""
    return sorted(problems_of(definitions_of(catalogue), _standing(in_force), ledger, catalogue.sources))


async def ledger_of(servers: Servers, in_force: InForce | None) -> Ledger:
    """Return the highest version of each definition that was ever in force.

    The record of the catalogue in force has it. An older version of Segue wrote none: then every catalogue that the
    topic still holds is read, once.
    """
    if in_force is None:
        return {}
    found = read_ledger(in_force.record.get("versions"))
    if found is not None:
        return found
    ledger: Ledger = {}
    for record in await servers.log.read_to_end(servers.deployment.catalogues_topic, 0):
        if record.value is not None and not is_apply(record.key):
            ledger = extend(ledger, _stored(record.value))
    return ledger


def _standing(in_force: InForce | None) -> Iterator[Definition]:
    if in_force is None:
        return iter(())
    if in_force.catalogue is not None:
        return chain(definitions_of(in_force.catalogue), definitions_before(in_force.catalogue))
    return definitions_in(in_force.record.get("files", {}))


def _stored(value: bytes) -> Iterator[Definition]:
    try:
        files = orjson.loads(value)["files"]
    except (ValueError, KeyError, TypeError):
        return iter(())
    return definitions_in(files) if isinstance(files, dict) else iter(())

"""What `segue links` lists of all subjects: links by a part of a subject, persons, rings, and what links did."""

from typing import NamedTuple

from rules.ground.instants import MS_PER_DAY, format_instant
from streams.cli.render.links_view import write_journeys, write_links, write_persons, write_summary, write_vanished
from streams.cli.render.progress import progress
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.clock import SystemClock
from streams.operations.links.graph import Links, Person
from streams.operations.links.journeys import Journey, journeys_now
from streams.operations.links.reading import read_all
from streams.operations.links.vanished import Vanished, read_vanished
from streams.operations.servers import Servers


class Asked(NamedTuple):
    """Which list is asked for, one at most; none: the summary."""

    find: str | None
    """A part of a subject."""
    of_more_than: int | None
    rings: bool
    erased: bool
    journeys: bool
    days: int
    """Days of the log that are searched for subjects that their own link erased."""
    limit: int | None
    """Links that --find and --erased list at most; None: all."""

    @property
    def lists(self) -> int:
        """How many lists are asked for."""
        return sum((self.find is not None, self.of_more_than is not None, self.rings, self.erased, self.journeys))


class Read(NamedTuple):
    """What was read for a list."""

    links: Links
    journeys: list[Journey]
    note: str
    vanished: list[Vanished]
    since_ms: int


def list_links(asked: Asked, *, restricted: bool, as_json: bool) -> None:
    """Read the links of all partitions and write what is asked for."""
    read = run(lambda servers: _read(servers, asked, restricted=restricted))
    found = read.links
    if read.note:
        tell(read.note)
    if as_json:
        write_json(_json(asked, read))
    elif asked.journeys:
        write_journeys(read.journeys)
    elif asked.of_more_than is not None or asked.rings:
        write_persons(_persons(asked, found), rings=asked.rings)
    elif asked.erased:
        write_links(found.to_erased(), found, asked.limit, erased=True)
        write_vanished(read.vanished, read.since_ms)
    elif asked.find is not None:
        write_links(found.with_part(asked.find), found, asked.limit)
    else:
        write_summary(found)


def _json(asked: Asked, read: Read) -> dict[str, object]:
    found = read.links
    if asked.journeys:
        return {"journeys": [each.as_json() for each in read.journeys]}
    if asked.of_more_than is not None or asked.rings:
        persons = _persons(asked, found)
        return {"persons": [{"canonical": each.end, "subjects": list(each.subjects)} for each in persons]}
    if asked.erased:
        vanished = [each.as_json() for each in read.vanished]
        since = format_instant(read.since_ms)
        return {
            "links": [each.as_json() for each in found.to_erased()[: asked.limit]],
            "vanished": vanished,
            "since": since,
        }
    if asked.find is not None:
        return {"links": [each.as_json() for each in found.with_part(asked.find)[: asked.limit]]}
    odd = [{"kind": each.kind, "subject": each.subject, "count": each.count} for each in found.oddities()]
    return {"links": found.count, "persons": sum(1 for _ in found.persons()), "odd": odd}


def _persons(asked: Asked, found: Links) -> list[Person]:
    if asked.of_more_than is None:
        return [each for each in found.persons() if each.end is None]
    return [each for each in found.persons() if each.end is not None and len(each.subjects) > asked.of_more_than]


async def _read(servers: Servers, asked: Asked, *, restricted: bool) -> Read:
    since_ms = SystemClock().wall_ms() - asked.days * MS_PER_DAY
    journeys: list[Journey] = []
    vanished: list[Vanished] = []
    note = ""
    with progress() as bars:
        task = bars.add_task("Reading (profiles)", total=None, note="")
        found = await read_all(servers, lambda read: bars.advance(task, read))
        if asked.erased:
            log = bars.add_task("Reading (events)", total=None, note="")
            vanished = await read_vanished(servers, since_ms, lambda read: bars.advance(log, read))
    if asked.journeys:
        journeys, note = await journeys_now(servers, found, restricted=restricted)
    return Read(found, journeys, note, vanished, since_ms)

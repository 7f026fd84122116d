"""What `segue links` lists of all subjects: links by a part of a subject, persons, rings, and what links did."""

from typing import NamedTuple

from streams.cli.render.links_view import write_journeys, write_links, write_persons, write_summary
from streams.cli.render.progress import progress
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.operations.links.graph import Links, Person
from streams.operations.links.journeys import Journey, journeys_now
from streams.operations.links.reading import read_all
from streams.operations.servers import Servers


class Asked(NamedTuple):
    """Which list is asked for, one at most; none: the summary."""

    find: str | None
    """A part of a subject."""
    of_more_than: int | None
    rings: bool
    erased: bool
    journeys: bool


def list_links(asked: Asked, *, restricted: bool, as_json: bool) -> None:
    """Read the links of all partitions and write what is asked for."""
    found, stories, note = run(lambda servers: _read(servers, restricted=restricted, journeys=asked.journeys))
    if note:
        tell(note)
    if as_json:
        write_json(_json(asked, found, stories))
    elif asked.journeys:
        write_journeys(stories)
    elif asked.of_more_than is not None or asked.rings:
        write_persons(_persons(asked, found), rings=asked.rings)
    elif asked.erased:
        write_links(found.to_erased(), found, erased=True)
    elif asked.find is not None:
        write_links(found.with_part(asked.find), found)
    else:
        write_summary(found)


def _json(asked: Asked, found: Links, stories: list[Journey]) -> dict[str, object]:
    if asked.journeys:
        return {"journeys": [each.as_json() for each in stories]}
    if asked.of_more_than is not None or asked.rings:
        return {
            "persons": [{"canonical": each.end, "subjects": list(each.subjects)} for each in _persons(asked, found)]
        }
    if asked.erased or asked.find is not None:
        listed = found.to_erased() if asked.find is None else found.with_part(asked.find)
        return {"links": [each.as_json() for each in listed]}
    odd = [{"kind": each.kind, "subject": each.subject, "count": each.count} for each in found.oddities()]
    return {"links": found.count, "persons": sum(1 for _ in found.persons()), "odd": odd}


def _persons(asked: Asked, found: Links) -> list[Person]:
    if asked.of_more_than is None:
        return [each for each in found.persons() if each.end is None]
    return [each for each in found.persons() if each.end is not None and len(each.subjects) > asked.of_more_than]


async def _read(servers: Servers, *, restricted: bool, journeys: bool) -> tuple[Links, list[Journey], str]:
    with progress() as bars:
        task = bars.add_task("Reading (profiles)", total=None, note="")
        found = await read_all(servers, lambda read: bars.advance(task, read))
    if not journeys:
        return found, [], ""
    return (found, *await journeys_now(servers, found, restricted=restricted))

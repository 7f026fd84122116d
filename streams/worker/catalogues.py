"""The catalogues of a worker: each is fetched from the log by its hash and compiled once, for all partitions."""

import asyncio
import logging
from functools import partial

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.stored import load_catalogue_json
from streams.actions import told
from streams.clock import Clock
from streams.errors import Incident, NotReachable
from streams.log.terms import Log
from streams.retry import Patience, until_answered
from streams.settings import assignment_keys

log = logging.getLogger(__name__)


class Catalogues:
    """Loads catalogues from `segue.catalogues` and keeps each that was asked for."""

    def __init__(self, source: Log, topic: str, clock: Clock) -> None:
        self._source = source
        self._topic = topic
        self._clock = clock
        self._loaded: dict[str, Catalogue] = {}
        self._loading = asyncio.Lock()

    async def get(self, digest: str) -> Catalogue:
        """Return the catalogue of a hash; waits while the log cannot be reached.

        Raises Incident: the topic does not have it, or this version cannot compile it.
        """
        found = self._loaded.get(digest)
        if found is not None:
            return found
        async with self._loading:
            if digest not in self._loaded:
                self._loaded[digest] = _compiled(digest, await self._fetch(digest))
                log.info("catalogue %s is loaded", digest[:12], extra=told("catalogue_loaded", catalogue=digest[:12]))
            return self._loaded[digest]

    @property
    def loaded(self) -> tuple[Catalogue, ...]:
        """The catalogues that were asked for so far."""
        return tuple(self._loaded.values())

    async def _fetch(self, digest: str) -> bytes:
        ask = partial(self._source.find, self._topic, digest.encode())
        data = await until_answered(ask, NotReachable, Patience(self._clock))
        if data is None:
            raise Incident(f"catalogue {digest} is not in {self._topic}: apply it again with `segue apply`")
        return data


def _compiled(digest: str, data: bytes) -> Catalogue:
    try:
        found = load_catalogue_json(data, assignment_keys())
    except Exception as error:
        # `segue apply` found the author's mistakes: a failure here means another version of Segue, or damage
        raise Incident(
            f"catalogue {digest} does not load ({type(error).__name__}: {error}): run the version of Segue that applied"
            " it, or apply it again with this one"
        ) from error
    if found.hash != digest:
        raise Incident(f"the record of catalogue {digest} holds a catalogue of hash {found.hash}")
    key = found.policy.key
    if key is not None and key.secret is None:
        # other keys would hold out other people: nothing is applied under this catalogue
        raise Incident(f"catalogue {digest[:12]} is refused: {key.wrong}; start this worker with that key")
    return found

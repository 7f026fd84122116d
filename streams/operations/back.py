"""Going back to the catalogue that was in force before.

The files come out of the log as they were applied. Every definition has the version that it had, so a lower one by
number: that version stands for that very text, and readers of changes find it. The highest versions stay known
(`rules.catalogue.versions`), so the next edit needs a number above them.
"""

from dataclasses import replace

from rules.catalogue.catalogue import Catalogue
from streams.operations.applying.options import Options
from streams.operations.errors import NothingBefore
from streams.operations.in_force import history
from streams.operations.references import compiled
from streams.operations.servers import Servers
from streams.operations.written import files_of


async def before(servers: Servers, options: Options) -> tuple[Catalogue, Options]:
    """Return the catalogue before, and the options that apply it over the one in force now and over no other.

    Raises NothingBefore, NoCatalogue, CatalogueNotStored, CatalogueUnusable.
    """
    known = await history(servers)
    now, then = known.in_force, known.before()
    if then is None:
        raise NothingBefore
    kept = known.kept(then.catalogue, servers.deployment.catalogues_topic)
    texts, as_applied = files_of(kept)
    git = None if then.applied is None else then.applied.git
    return compiled(kept), replace(options, back=True, over=now.catalogue, git=git, texts=texts if as_applied else {})

"""Going back to the catalogue that was in force before.

The files come out of the log as they were applied. Every definition has the version that it had, so a lower one by
number: that version stands for that very text, and readers of changes find it. The highest versions stay known
(`rules.catalogue.versions`), so the next edit needs a number above them.
"""

from collections.abc import Mapping
from dataclasses import replace

from rules.catalogue.catalogue import Catalogue
from streams.operations.applying.options import Options
from streams.operations.approving.keys import KEYS_FILE
from streams.operations.approving.signed import Signed, read_signed
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
    now_texts, _ = files_of(known.kept(now.catalogue, servers.deployment.catalogues_topic))
    git = None if then.applied is None else then.applied.git
    return compiled(kept), replace(
        options,
        back=True,
        over=now.catalogue,
        git=git,
        signed=_signed(now_texts, texts),
        texts=texts if as_applied else {},
    )


def _signed(now: Mapping[str, str], then: Mapping[str, str]) -> Signed:
    """Return the approvals of then with the keys of now: a key that was taken out meanwhile does not come back."""
    keys = {name: text for name, text in now.items() if name == KEYS_FILE}
    approvals = {name: text for name, text in then.items() if name != KEYS_FILE or not keys}
    return read_signed({**approvals, **keys})

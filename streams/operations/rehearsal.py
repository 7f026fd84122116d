"""`segue apply --dry-run`: the checks of an apply and the preview of what it would change. Nothing is written."""

from rules.catalogue.catalogue import Catalogue
from streams.operations.apply import look
from streams.operations.applying.checks import run_checks
from streams.operations.applying.options import Options
from streams.operations.applying.warning import ApplyWarning
from streams.operations.partitions import OnOffset
from streams.operations.preview import Preview, Wanted, preview
from streams.operations.servers import Servers


async def rehearse(
    servers: Servers, catalogue: Catalogue, options: Options, wanted: Wanted, on_offset: OnOffset
) -> tuple[tuple[ApplyWarning, ...], Preview]:
    """Ask every check, then preview. Raises what a check or the preview raises."""
    await servers.expect_topics(servers.deployment.events_topic, servers.deployment.catalogues_topic)
    warnings = await run_checks(await look(servers, catalogue, options))
    return warnings, await preview(servers, catalogue, wanted, on_offset)

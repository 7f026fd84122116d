"""`segue verify`: compare the published changes with the log applied again."""

from streams.cli.arguments import Json, Partitions
from streams.cli.render.progress import partition_progress
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.operations.errors import WrongInput
from streams.operations.verify import PartitionVerdict
from streams.operations.verify import verify as verify_partitions


def verify(partitions: Partitions = None, as_json: Json = False) -> None:
    """Compare every published change with the log, applied again.

    Compares them byte for byte, beside the live system, and sees that each effect on another profile stands in its
    partition of the input. Reads the input from its first record to the published offset, and the output topics; writes
    nothing and asks nothing of the workers. Exit status 1: something differs (the
    first difference is named by offsets), or the input's retention has dropped its beginning.

    Example: segue verify 0 3
    """
    with partition_progress() as on_offset:
        found = run(lambda servers: verify_partitions(servers, partitions, on_offset))
    if as_json:
        write_json({"partitions": found, "ok": not any(each.difference for each in found)})
    else:
        _show(found)
    if any(each.difference for each in found):
        raise WrongInput("the published changes are not those of the log")


def _show(found: list[PartitionVerdict]) -> None:
    numbers = ("records", "changes equal", "by digest", "effects")
    shown = table("partition", *numbers, "verdict", right=numbers)
    for each in found:
        verdict = each.difference or ("equal" if each.records else "nothing was published yet")
        shown.add_row(
            *row(
                [
                    each.partition,
                    f"{each.records:,}",
                    f"{each.changes:,}",
                    f"{each.skipped:,}",
                    f"{each.effects:,}",
                    verdict,
                ]
            )
        )
    out.print(shown)

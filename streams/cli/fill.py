"""`segue fill`: bring the history that conditions need from before their cut."""

from collections import defaultdict

from rules.ground.instants import format_instant
from rules.ground.words import count
from streams.cli.arguments import Json
from streams.cli.render.progress import fill_progress
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.operations.fill import FillOutcome
from streams.operations.fill import fill as fill_cuts


def fill(as_json: Json = False) -> None:
    """Bring the history that new conditions need from the log.

    `segue apply` does this by itself. Use this command after `segue apply --no-fill`, on another machine, or after a
    fill was stopped. Reads the input up to each cut that is not filled yet, and appends what its new conditions look
    at as records of the input. Workers go on meanwhile: see SEGUE_FILL_RECORDS_PER_S_MAX and
    SEGUE_FILL_LAG_RECORDS_MAX. May be repeated, and stopped at any time. Nothing to fill: says so and writes nothing.

    Example: segue fill
    """
    with fill_progress() as (on_share, on_wait):
        outcome = run(lambda servers: fill_cuts(servers, on_share, on_wait))
    if as_json:
        write_json(outcome.as_json())
    else:
        show_filled(outcome)


def show_filled(outcome: FillOutcome) -> None:
    """Say what a fill did, for people."""
    if not outcome.filled:
        out.print("Every cut is filled: there is no history to bring.")
        return
    numbers = ("cuts", "records read", "profiles", "events", "passes")
    shown = table("partition", *numbers, "log whole since", right=numbers)
    by_partition = defaultdict(list)
    for each in outcome.filled:
        by_partition[each.partition].append(each)
    for partition, cuts in sorted(by_partition.items()):
        since = [each.since_ms for each in cuts if each.since_ms is not None]
        gone = all(each.cut_ms is None for each in cuts)
        whole = "the cut is gone" if gone else format_instant(max(since)) if since else "its beginning"
        sums = [sum(getattr(each, name) for each in cuts) for name in ("read", "subjects", "events", "passes")]
        shown.add_row(*row([partition, len(cuts), *(f"{number:,}" for number in sums), whole]))
    out.print(shown)
    waited = f" ({outcome.waited_seconds:.1f} s of them waiting for workers)" if outcome.waited_seconds else ""
    out.print(f"The history of {count(len(outcome.filled), 'cut')} is in the log, in {outcome.seconds:.1f} s{waited}.")
    for said in outcome.said_besides():
        out.print(said)

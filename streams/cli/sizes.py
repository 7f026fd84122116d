"""`segue sizes`: how many members each segment has, how many profiles each activation reaches."""

from rich.table import Table
from rich.text import Text

from rules.ground.words import count
from streams.cli.arguments import AlsoRestricted, Json
from streams.cli.render.progress import channel_progress
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, tell, write_json
from streams.cli.running import run
from streams.operations.servers import Servers
from streams.operations.sizes import Sizes, count_sizes


def sizes(restricted: AlsoRestricted = False, as_json: Json = False) -> None:
    """Count the members of segments and the profiles of activations.

    Counts under the catalogue in force. Members are counted as last written to Redis; active profiles as published in
    the channels' snapshots, which are read whole. What uses restricted data is counted with [bold]--restricted[/bold]
    only.

    Example: segue sizes
    """

    async def counting(servers: Servers) -> Sizes:
        with channel_progress() as on_partition:
            return await count_sizes(servers, on_partition, restricted=restricted)

    counted = run(counting)
    if counted.note:
        tell(counted.note)
    if as_json:
        write_json(counted.as_json())
        return
    out.print(segment_table(counted))
    said = f"{count(counted.memberships, 'membership')} in {count(len(counted.segments), 'segment')}"
    if counted.activations:
        out.print(activation_table(counted))
        said += f"; {count(sum(each.active for each in counted.activations), 'active activation')}"
    write_sentence(f"{said}.")


def segment_table(sizes: Sizes) -> Table:
    """Make the table of segments, the largest first."""
    shown = table("segment", "members", "audience", "title", right=["members"])
    shown.columns[0].no_wrap = True
    for each in sizes.segments:
        shown.add_row(*row([each.segment, f"{each.members:,}", each.audience, each.title]))
    return shown


def activation_table(sizes: Sizes) -> Table:
    """Make the table of activations by channel; each channel ends with its profiles in all."""
    shown = table("channel", "activation", "active", "audience", "journey", right=["active"])
    shown.columns[1].no_wrap = True
    for channel in sizes.channels:
        for each in sizes.activations:
            if each.channel == channel.channel:
                cells = [each.channel, each.activation, f"{each.active:,}", each.audience, each.journey]
                shown.add_row(*row(cells))
        together = [channel.channel, Text("profiles in all", "dim"), f"{channel.profiles:,}", "", ""]
        shown.add_row(*row(together), end_section=True)
    return shown

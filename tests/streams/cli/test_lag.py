"""The table of `segue lag` at 80 columns."""

from io import StringIO

from rich.console import Console

from streams.cli.render.lag import lag_table
from streams.operations.lag import Lag, PartitionLag


def test_no_word_of_a_heading_is_broken_at_80_columns() -> None:
    lag = Lag((PartitionLag(0, 2_000_000, 1_999_000, 1_999_000, 1_000, 12.5, "a3fb5b7d2c06" + "0" * 52),))
    written = StringIO()
    Console(file=written, width=80).print(lag_table(lag, offsets=True))
    for word in ("partition", "log end", "applied", "published", "records", "seconds", "catalogue", "a3fb5b7d2c06"):
        assert word in written.getvalue()

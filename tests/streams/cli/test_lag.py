"""The table of `segue lag` at 80 columns."""

from dataclasses import replace
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


def test_partitions_with_the_same_outlook_share_a_sentence_and_no_line_is_wider_than_80() -> None:
    sentence = "will not catch up: no worker runs; 1,200 wakes overdue by 31 s"
    one = PartitionLag(0, 9, 9, 9, 2_000_000, 86_400.5, "a", None, 3, 86_400, "aabbcc", 3_600, False, outlook=sentence)
    lag = Lag(tuple(replace(one, partition=number) for number in (0, 1, 2, 5)))
    written = StringIO()
    Console(file=written, width=80).print(lag_table(lag))
    assert max(map(len, written.getvalue().splitlines())) <= 80
    assert f"partitions 0-2, 5: {sentence}" in " ".join(written.getvalue().split())
    for word in ("records", "seconds", "overdue", "worker", "heard", "2,000,000", "86400.5", "aabbcc", "60 min ago"):
        assert word in written.getvalue()

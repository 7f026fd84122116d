"""Windows: which of the matching events count at an instant (docs/language.md, Windows).

`within: D` (time > t − D), `older_than: E` (time ≤ t − E), `since: DATE` (inclusive), `until: DATE` (exclusive) and a
mark (`since: entry`, `since: exit`); where several are given, all must hold. Dates do not move, so an event that they
leave out is never folded; the other three are asked at evaluation. With `bucket: D` times are rounded up to a multiple
of D for `within` and `older_than`; dates and marks compare the event's own time.
"""

from dataclasses import dataclass
from typing import Any

from rules.conditions.context import RuleContext
from rules.conditions.view import MarkKind
from rules.conditions.window_keys import SinceKeys, WindowKeys
from rules.ground.instants import AHEAD_LIMIT_MS, FOREVER, format_duration, format_instant
from rules.language.problems import DefinitionReader


@dataclass(frozen=True, slots=True)
class Window:
    """Which events count at an instant; None: no such bound."""

    within_ms: int | None = None
    older_ms: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    mark: MarkKind | None = None
    bucket_ms: int | None = None

    @property
    def empty(self) -> bool:
        """Whether no event can be in it: its bounds exclude each other."""
        return (self.within_ms is not None and self.older_ms is not None and self.within_ms <= self.older_ms) or (
            self.since_ms is not None and self.until_ms is not None and self.until_ms <= self.since_ms
        )

    def admits(self, time_ms: int) -> bool:
        """Tell whether the dates let an event of that time count."""
        return (self.since_ms is None or time_ms >= self.since_ms) and (
            self.until_ms is None or time_ms < self.until_ms
        )

    def complete_at(self, cut_ms: int) -> int:
        """The first instant at which it begins at cut_ms + 5 min or later (the latest beginning counts)."""
        seen_ms = cut_ms + AHEAD_LIMIT_MS
        if self.since_ms is not None and self.since_ms >= seen_ms:
            return cut_ms
        if self.within_ms is None:
            return FOREVER
        if self.bucket_ms is not None:
            # events from before the cut stand at their rounded-up times: the window must have passed the last of these
            seen_ms = rounded_up(seen_ms, self.bucket_ms)
        return seen_ms + self.within_ms

    def key(self) -> list[Any]:
        """Return what folding depends on."""
        return [self.within_ms, self.older_ms, self.since_ms, self.until_ms, self.bucket_ms]

    def describe(self) -> str:
        """Say it in plain English, with a space before: ` within 30d, since entry`."""
        parts: list[str] = []
        if self.within_ms is not None:
            parts.append(f"within {format_duration(self.within_ms)}")
        if self.older_ms is not None:
            parts.append(f"at least {format_duration(self.older_ms)} ago")
        if self.since_ms is not None:
            parts.append(f"since {format_instant(self.since_ms)}")
        if self.until_ms is not None:
            parts.append(f"before {format_instant(self.until_ms)}")
        if self.mark is not None:
            parts.append(f"since the last {self.mark}" if self.mark == "exit" else "since entry")
        if self.bucket_ms is not None:
            parts.append(f"in buckets of {format_duration(self.bucket_ms)}")
        return "".join((" " if not index else ", ") + part for index, part in enumerate(parts))


def rounded_up(time_ms: int, bucket_ms: int | None) -> int:
    """Return an instant rounded up to a multiple of the bucket, counted from the epoch; without a bucket as it is."""
    return time_ms if bucket_ms is None else -(-time_ms // bucket_ms) * bucket_ms


def read_window(
    keys: SinceKeys,
    reader: DefinitionReader,
    context: RuleContext,
    bucket_ms: int | None = None,
    *,
    of_nothing: bool = False,
) -> Window | None:
    """Make the window of a definition in its rule; None if it makes no sense there, the problem recorded.

    `of_nothing`: whether the condition holds of no events at all. Together with the `none`s around it that decides
    whether the condition is evidence, which by default counts from the latest exit only.
    """
    before = len(reader.problems)
    evidence = of_nothing == context.denied
    since_ms, mark = _read_since(keys.since, reader, context, evidence)
    within_ms = older_ms = until_ms = None
    if isinstance(keys, WindowKeys):
        within_ms, older_ms, until_ms = keys.within, keys.older_than, keys.until
    if len(reader.problems) > before:
        return None
    return Window(within_ms, older_ms, since_ms, until_ms, mark, bucket_ms)


def _read_since(
    since: int | str | None, reader: DefinitionReader, context: RuleContext, evidence: bool
) -> tuple[int | None, MarkKind | None]:
    """Return the date and the mark from which events count.

    Where a segment forgets, the exit's mark is the default of evidence. A condition that says that something is absent
    counts all events.
    """
    re_entry = context.rule == "enter" and context.forgets
    if since is None or isinstance(since, int):
        return since, "exit" if re_entry and evidence else None
    if since == "entry":
        if context.rule != "exit":
            reader.down("since").problem("'since: entry' is for the exit rule: in 'enter' there is no entry yet")
        return None, "entry"
    if since == "exit":
        if not re_entry:
            reader.down("since").problem(
                "'since: exit' is for 'enter' of a segment with 'exit' or 'max_stay'; elsewhere no exit counts"
            )
        return None, "exit"
    return None, None

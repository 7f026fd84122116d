"""The demo as plain lines, where there is no terminal (CI, a pipe), or standard output is for a program."""

from time import monotonic
from typing import Final, TextIO

from streams.demo import told as telling
from streams.demo.arrivals import Contact, quantile
from streams.demo.figures import Figures, ToldChange
from streams.demo.words import Line

EVERY_S: Final = 2.0


class Lines:
    """Writes a line for each thing that happens."""

    feed_per_s = 1.0

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._began_s = monotonic()
        self._last_s = 0.0

    def step(self, text: str) -> None:
        """See Show."""
        self._say(text)

    def doing(self, text: str) -> None:
        """See Show: the step that follows says it."""

    def begin(self, figures: Figures) -> None:
        """See Show."""

    def update(self, figures: Figures) -> None:
        """See Show."""
        now_s = monotonic()
        if now_s - self._last_s < EVERY_S:
            return
        self._last_s = now_s
        coming, going = figures.rates()
        arrivals = figures.arrivals
        p50, p99 = (quantile(arrivals.recent_ms(), share) for share in (0.5, 0.99))
        took = "" if p50 is None or p99 is None else f"; latency p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        self._say(
            f"{figures.phase}: {figures.sent:,} events in ({coming:,.0f}/s), {arrivals.changes:,} changes out"
            f" ({going:,.0f}/s), {arrivals.alone:,} of them by time alone{took}{_contact(arrivals.contact)};"
            f" {figures.lag:,} records behind"
        )

    def change(self, line: Line) -> None:
        """See Show."""
        way = f"{line.way:<3} {'<-' if line.entered else '->'}"
        because = line.why if line.alone else f"{line.why} ({line.cause})"
        alone = "; by time alone, no event" if line.alone else ""
        took = f"; read {line.took_ms:.0f} ms after that was sent" if line.suppressed and line.took_ms else ""
        self._say(f"{line.at} {way} {line.profile}: {line.title}: {because}{alone}{took}")

    def notice(self, text: str) -> None:
        """See Show."""
        self._say(f"*** {text}")

    def explain(self, told: ToldChange) -> None:
        """See Show."""
        self._say(telling.head(told).plain)
        for line in telling.body(told):
            self._say(f"    {line.plain}")

    def end(self) -> None:
        """See Show."""

    def _say(self, text: str) -> None:
        print(f"{monotonic() - self._began_s:6.1f} s  {text}", file=self._to, flush=True)


def _contact(contact: Contact) -> str:
    if not contact.changes:
        return ""
    p50 = quantile([each.ms for each in contact.suppressed_took], 0.5)
    took = "" if p50 is None else f", p50 {p50:.0f} ms"
    ways = f"{contact.activated:,} on, {contact.deactivated:,} off"
    return f"; activations {ways} ({contact.suppressed:,} suppressed{took})"

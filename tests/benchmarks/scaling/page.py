"""Draw the model's tables on docs/operations/scaling.md: `python -m tests.benchmarks.scaling.page` rewrites them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.benchmarks.scaling import slots
from tests.benchmarks.scaling.__main__ import table
from tests.benchmarks.scaling.model import Demand, plan

PAGE: Final = Path(__file__).parents[3] / "docs" / "operations" / "scaling.md"
MILLION: Final = Demand()
MODEST: Final = Demand(exponent=0.5, held_share=0.001)
DEMANDS: Final = (
    replace(MILLION, exponent=1.0),
    MILLION,
    replace(MILLION, exponent=0.5),
    replace(MILLION, exponent=0.5, held_share=0.1),
    replace(MILLION, exponent=0.5, held_share=0.01),
    MODEST,
)
"""1 M events/s and 300 M profiles: how skewed, and how many of their events the profiles hold."""


def plans() -> str:
    """Return a row for each demand."""
    head = "Zipf|events held a profile|partitions|workers|shards|brokers|state, TiB|saturates first|load|$ a month"
    rows = [f"| {head.replace('|', ' | ')} |", "|---" * 10 + "|"]
    for demand in DEMANDS:
        found = plan(demand)
        load = f"{found.first.load:.2f}" if found.possible else f"{found.first.load:.1f}: cannot be met"
        cells = [
            f"{demand.exponent:g}",
            f"{demand.held_events / demand.profiles:,.0f}",
            f"{found.partitions:,}",
            f"{found.workers:,}",
            f"{found.shards:,}",
            f"{found.brokers:,}",
            f"{found.state_gib / 1_024:,.1f}",
            found.first.name,
            load,
            f"{sum(found.bill.values()):,.0f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "plans": plans,
    "modest": lambda: table(plan(MODEST)),
    "slots": lambda: slots.table(slots.PARTITIONS, slots.SHARDS),
}


def redrawn(text: str) -> str:
    """Return the page's text with every table as the model has it now."""
    for name, draw in TABLES.items():
        marks = re.compile(rf"(<!-- model: {name} -->\n\n).*?(\n\n<!-- /model -->)", re.DOTALL)
        drawn = draw()
        text, count = marks.subn(lambda found, drawn=drawn: f"{found[1]}{drawn}{found[2]}", text)  # type: ignore[misc]
        assert count == 1, name
    return text


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

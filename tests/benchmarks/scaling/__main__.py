"""Size a deployment: machines, the first thing that saturates, headroom, a bill, and what moves cost.

    python -m tests.benchmarks.scaling --events-per-second 1000000 --profiles 300000000 [--exponent 0.8]
        [--held-share 1] [--partitions 0] [--checkpoint-s 1] [--core-speed 1] [--json]

The parts and prices stand in parts.py, with their sources and dates. Any field of `Demand` and `Limits` (model.py,
parts.py) is an option. `--held-share`: of the events of 30 days, those that some segment looks at.
"""

import argparse
import json
from dataclasses import asdict, fields

from tests.benchmarks.scaling.model import Demand, Plan, plan
from tests.benchmarks.scaling.parts import Limits


def table(found: Plan) -> str:
    """Return the plan for people, as Markdown."""
    each, demand = found.work, found.demand
    lines = [
        f"{demand.events_per_second:,.0f} events/s, {demand.profiles:,} profiles, Zipf {demand.exponent:g}, "
        f"{demand.held_events / demand.profiles:,.0f} events held a profile",
        "",
        f"{found.partitions:,} partitions, {found.workers:,} workers, {found.shards:,} shards of the store, "
        f"{found.brokers:,} brokers, {found.state_gib:,.0f} GiB of state, {found.log_tb:,.0f} TB of log",
        f"an event: {each.worker_us:,.0f} µs of a worker, {each.store_us:.1f} µs of the store, {each.reads:.2f} "
        f"profiles read, {each.writes:.2f} written, {each.write_bytes / 1e3:,.1f} kB",
        "",
        "| resource | demand | pieces for it alone | load of the fullest piece |",
        "| --- | --- | --- | --- |",
    ]
    for need in found.needs:
        pieces = f"{need.pieces:,}" if need.pieces else "more do not help"
        mark = " (cannot be met)" if need.load > 1 else ""
        lines.append(f"| {need.name} | {need.amount:,.1f} {need.unit} | {pieces} | {need.load:.2f}{mark} |")
    lines += ["", f"saturates first: {found.first.name}", "", "| a month | $ |", "| --- | --- |"]
    lines += [f"| {name} | {dollars:,.0f} |" for name, dollars in found.bill.items()]
    lines += [f"| all | {sum(found.bill.values()):,.0f} |", "", "| when something moves | |", "| --- | --- |"]
    lines += [f"| {name} | {value:,.2f} |" for name, value in found.moves.items()]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser: an option for each field."""
    made = argparse.ArgumentParser(
        prog="tests.benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for model in (Demand(), Limits()):
        for each in fields(model):
            value = getattr(model, each.name)
            if isinstance(value, (int, float)):
                made.add_argument(f"--{each.name.replace('_', '-')}", type=type(value), default=value)
    made.add_argument("--json", action="store_true")
    return made


def demand_of(options: argparse.Namespace) -> Demand:
    """Return the demand that the options ask for."""
    given = vars(options)
    limits = Limits(**{each.name: given[each.name] for each in fields(Limits)})
    return Demand(limits=limits, **{each.name: given[each.name] for each in fields(Demand) if each.name != "limits"})


def main() -> None:
    """Print the plan."""
    options = parser().parse_args()
    found = plan(demand_of(options))
    print(json.dumps({**asdict(found), "first": found.first.name}) if options.json else table(found))


if __name__ == "__main__":
    main()

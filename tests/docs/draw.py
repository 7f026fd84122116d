"""Draw the parts of the pages that the code knows better. `python -m tests.docs.draw` writes them; a test compares.

A page gives such a part between two markers, `<!-- drawn: NAME -->` and `<!-- /drawn -->`. What stands between them is
made here from the code's own tables.
"""

import ast
import inspect
import itertools
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from rules.engine.protocol import CALLS, PROTOCOL, STATES
from streams.actions import ACTIONS, FIELDS
from streams.cli.commands import COMMANDS
from streams.delivery.settings import DeliverySettings
from streams.erasure_settings import ErasureSettings
from streams.health import REASONS
from streams.kafka_settings import KafkaSettings
from streams.metrics.names import FAMILIES, Scope
from streams.partition.states import CLAIM, TENURE, Table
from streams.redis_settings import RedisSettings
from streams.settings import Deployment, Settings
from streams.store.outcomes import OUTCOMES, RELATIONS, TOKEN_RULES
from streams.wire.rights import OF_A_CHANNEL, ROLE_NAMES, Asked, rights_of
from streams.wire.topics import Topic, activation_topics, delivery_topic, topics
from tests.benchmarks.peers.registry import ENGINES
from tests.deploy import values as chart
from tests.docs.markdown import ROOT, named, pages, text_of

CHANNEL: Final = "CHANNEL"
"""Stands for a channel's name in the table of topics."""
_DRAWN: Final = re.compile(r"(<!-- drawn: (?P<name>[\w-]+) -->\n).*?(<!-- /drawn -->)", re.DOTALL)


def mermaid(*lines: str) -> str:
    """Return a Mermaid block."""
    return "\n".join(["```mermaid", *lines, "```"])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


def layers(container: str) -> str:
    """Draw the layers of the import contract of `rules` or `streams`: a room may import from rooms below it only."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [each for each in contracts if each["type"] == "layers" and each.get("containers") == [container]]
    rows = [[room.strip() for room in re.split(r"[|:]", layer)] for layer in contract["layers"]]
    lines = ["flowchart TB"]
    for number, rooms in enumerate(rows):
        lines.append(f'  layer{number}["{" · ".join(rooms)}"]')
    lines += [f"  layer{number} --> layer{number + 1}" for number in range(len(rows) - 1)]
    return mermaid(*lines)


def machine(drawn: Table[Any]) -> str:
    """Draw a table of states: the diagram, what each state means, and why each move is made."""
    ends = [state for state in drawn.states if not any(before == state for before, _ in drawn.moves)]
    diagram = mermaid(
        "stateDiagram-v2",
        f"  [*] --> {drawn.first}",
        *(f"  {before} --> {after}" for before, after in drawn.moves),
        *(f"  {state} --> [*]" for state in ends),
    )
    states = table(("state", "means"), ((f"`{state}`", means) for state, means in drawn.states.items()))
    moves = table(
        ("from", "to", "because"),
        ((f"`{before}`", f"`{after}`", why) for (before, after), why in drawn.moves.items()),
    )
    return f"{diagram}\n\n{states}\n\n{moves}"


def token() -> str:
    """Draw the rules of the token."""
    arrows = [
        f'  {call}_call(["{call}"]) -->|{relation}| {rule.outcome}' for (call, relation), rule in TOKEN_RULES.items()
    ]
    rules = table(
        ("call", "stored token", "outcome", "because"),
        ((call, relation, f"`{rule.outcome}`", rule.why) for (call, relation), rule in TOKEN_RULES.items()),
    )
    relations = table(("stored token", "means"), RELATIONS.items())
    outcomes = table(("outcome", "means"), ((f"`{outcome}`", means) for outcome, means in OUTCOMES.items()))
    return "\n\n".join((mermaid("flowchart LR", *arrows), rules, relations, outcomes))


def engine() -> str:
    """Draw the order of calls to an engine."""
    diagram = mermaid(
        "stateDiagram-v2",
        "  [*] --> new",
        *(f"  {state} --> {after}: {call}" for (state, call), ends in PROTOCOL.items() for after in ends),
    )
    states = table(("state", "means"), ((f"`{state}`", means) for state, means in STATES.items()))
    calls = table(("call", "means"), ((f"`{call}`", means) for call, means in CALLS.items()))
    return "\n\n".join((diagram, states, calls))


def setting_docs(model: type[BaseSettings]) -> Mapping[str, str]:
    """Return what the source says below each field of a settings model."""
    found: dict[str, str] = {}
    for base in model.__mro__:
        if issubclass(base, BaseSettings) and base is not BaseSettings:
            found |= _own_docs(base)
    return found


def _own_docs(model: type[BaseSettings]) -> Mapping[str, str]:
    [body] = [node.body for node in ast.parse(textwrap.dedent(inspect.getsource(model))).body if hasattr(node, "body")]
    found = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            found[field.target.id] = re.sub(r"\s+", " ", str(after.value.value)).strip()
    return found


def settings(model: type[BaseSettings], *but: type[BaseSettings]) -> str:
    """Draw a table of environment variables, without those of other models."""
    docs = setting_docs(model)
    prefix = model.model_config["env_prefix"]
    return table(
        ("variable", "default", "means"),
        (
            (f"`{prefix}{name.upper()}`", _default(field.default), docs.get(name, ""))
            for name, field in model.model_fields.items()
            if not any(name in other.model_fields for other in but)
        ),
    )


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def rights() -> str:
    """Draw what each role may do in Kafka, under the default names; `*` is the rest of a name."""
    deployment = Deployment.model_construct()
    rows = []
    for role in ROLE_NAMES:
        channel = "CHANNEL" if role in OF_A_CHANNEL else ""
        operations: dict[str, list[str]] = {}
        for right in rights_of(role, Asked(deployment, Settings.model_construct().group, channel, "GROUP")):
            name = f"{right.kind.replace('-', ' ')} `{right.name}{'*' if right.prefixed else ''}`"
            operations.setdefault(name, []).extend(f"{each}{'¹' * right.advisable}" for each in right.operations)
        alike: dict[str, list[str]] = {}
        for name, found in operations.items():
            alike.setdefault(", ".join(found), []).append(name)
        rows += [(f"`{role}`", found, ", ".join(names)) for found, names in alike.items()]
    return table(("role", "may", "of"), rows)


def topic_table() -> str:
    """Draw the table of topics with the configuration that they are created with."""
    deployment = Deployment.model_construct()
    found: list[Topic] = [
        *topics(deployment),
        *activation_topics(deployment, [CHANNEL]),
        delivery_topic(deployment, CHANNEL),
    ]
    return table(
        ("topic", "partitions", "holds", "created with"),
        (
            (
                f"`{each.name}`",
                "1" if each.partitions == 1 else "as the input",
                each.summary,
                ", ".join(f"`{name}={value}`" for name, value in sorted(each.configs.items())),
            )
            for each in found
        ),
    )


def commands() -> str:
    """Draw the table of commands."""
    return table(("command", "does", "part"), ((f"`segue {one.name}`", one.help, one.group) for one in COMMANDS))


def contestants() -> str:
    """Draw the table of the benchmark's engines."""
    return table(
        ("engine", "design", "after a crash", "cannot say"),
        ((f"`{one.name}`", one.design, one.durability, one.limits or "–") for one in ENGINES.values()),
    )


def reasons() -> str:
    """Draw the table of what /ready may say."""
    return table(("code", "means"), ((f"`{code}`", means) for code, means in REASONS.items()))


def metrics(scope: Scope) -> str:
    """Draw the metrics of one scope."""
    return table(
        ("metric", "kind", "unit", "labels", "means", "several processes"),
        (
            (
                f"`{each.name}`",
                each.kind,
                each.unit or "–",
                ", ".join(f"`{label}`" for label in each.labels) or "–",
                each.help,
                each.aggregate,
            )
            for each in FAMILIES
            if each.scope == scope
        ),
    )


DRAWINGS: Final[Mapping[str, Callable[[], str]]] = {
    "rules-layers": lambda: layers("rules"),
    "streams-layers": lambda: layers("streams"),
    "claim": lambda: machine(CLAIM),
    "tenure": lambda: machine(TENURE),
    "token": token,
    "engine": engine,
    "deployment-settings": lambda: settings(Deployment),
    "rights": rights,
    "kafka-settings": lambda: settings(KafkaSettings),
    "redis-settings": lambda: settings(RedisSettings),
    "erasure-settings": lambda: settings(ErasureSettings),
    "worker-settings": lambda: settings(Settings, KafkaSettings, RedisSettings, ErasureSettings),
    "delivery-settings": lambda: settings(DeliverySettings),
    "reasons": reasons,
    "actions": lambda: table(("action", "means"), ((f"`{name}`", means) for name, means in ACTIONS.items())),
    "fields": lambda: table(("field", "holds"), ((f"`{name}`", holds) for name, holds in FIELDS.items())),
    "topics": topic_table,
    "commands": commands,
    "engines": contestants,
    "partition-metrics": lambda: metrics("partition"),
    "worker-metrics": lambda: metrics("worker"),
    "business-metrics": lambda: metrics("business"),
    "delivery-metrics": lambda: metrics("delivery"),
    "chart-values": chart.table,
}


def redrawn(text: str) -> str:
    """Return a page's text with every drawn part made anew. Raises KeyError: no drawing has that name."""
    return _DRAWN.sub(lambda match: f"{match[1]}\n{DRAWINGS[match['name']]()}\n\n{match[3]}", text)


def drawn_names(text: str) -> list[str]:
    """Return the names of the drawn parts of a page."""
    return [match["name"] for match in _DRAWN.finditer(text)]


def main() -> None:
    """Write every drawn part of every page."""
    for page in pages():
        before = text_of(page)
        after = redrawn(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{named(page)}: drawn\n")
    chart.main()


if __name__ == "__main__":
    main()

"""A profile explained, as lines of text for the screen and elsewhere."""

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from rules.explain.activations import ActivationExplanation
from rules.explain.segments import Explanation, Leaf
from rules.explain.sentences import FOR_GOOD
from rules.ground.event import sent_id
from rules.ground.instants import format_instant
from streams.demo.figures import ToldChange
from streams.demo.words import short

NOTHING: Final = "nothing changes without a new event"
ALONE: Final = " by time alone, if nothing happens before"
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def head(told: ToldChange) -> Text:
    """Ask the question."""
    text = Text("Why is ")
    text.append(told.line.profile, "bold")
    if isinstance(told.explanation, ActivationExplanation):
        text.append(" active in " if told.explanation.active else " not active in ")
    else:
        text.append(" in " if told.explanation.member else " not in ")
    text.append(told.line.title, "cyan")
    return text.append("?")


def body(told: ToldChange) -> Iterator[Text]:
    """Answer it: why, each condition with its verdict, what comes next."""
    explanation = told.explanation
    if isinstance(explanation, ActivationExplanation):
        yield from _activation(explanation)
        return
    yield Text("; ".join(map(_short_instants, explanation.because)) + ".")
    for rule, leaves in (("enter", explanation.enter), ("exit", explanation.exit)):
        for number, leaf in enumerate(leaves):
            yield _leaf(leaf, rule if number == 0 else "")
    yield Text("next   ", "bold").append(_next(explanation), "")


def _activation(explanation: ActivationExplanation) -> Iterator[Text]:
    """Every refusal, and what would end it; or that there is none."""
    for refusal in explanation.refusals:
        until = refusal.changes_it if refusal.code in FOR_GOOD else f"until {refusal.changes_it}"
        line = Text("✗ ", "red").append(f"{refusal.text}: {until}", "default")
        if refusal.until_ms is not None:
            line.append(f", by itself at {_when(refusal.until_ms)}", "dim")
        yield line
    if explanation.active:
        yield Text("; ".join(explanation.because) + ".")
    following = explanation.next
    said = NOTHING
    if following is not None:
        said = f"{'on' if following.activated else 'off'} at {_when(following.at_ms)}{ALONE}"
    yield Text("next   ", "bold").append(said, "")


def _leaf(leaf: Leaf, rule: str) -> Text:
    mark, style = _MARKS[leaf.holds]
    line = Text(f"{rule:<7}", "bold")
    line.append(f"{mark} ", style)
    line.append(short(leaf.text), "")
    if leaf.until_ms is not None:
        line.append(f"  until {_when(leaf.until_ms)}", "dim")
    if leaf.evidence:
        line.append(f"  [{', '.join(f'{source} {sent_id(id_)}' for _, source, id_ in leaf.evidence[-2:])}]", "dim")
    return line


def _next(explanation: Explanation) -> str:
    following = explanation.next
    if following is None:
        return NOTHING
    way = "enters" if following.entered else "leaves"
    return f"{way} at {_when(following.at_ms)}{ALONE}"


def _when(instant_ms: int) -> str:
    return format_instant(instant_ms)[:-1].replace("T", " ").removesuffix(".000")


def _short_instants(sentence: str) -> str:
    words = (
        word[:-1].replace("T", " ") if len(word) == 24 and word.endswith("Z") else word for word in sentence.split()
    )
    return " ".join(words)

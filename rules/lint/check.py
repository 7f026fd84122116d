"""Lint: what is allowed in a catalogue, but probably not meant.

Each check is one row of a table. Warnings never stop a catalogue from loading; their codes are stable, so that people
can look them up and programs can filter them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.language.problems import of_template
from rules.lint.evidence import check_evidence
from rules.lint.likeness import check_likeness
from rules.lint.pilots import check_pilots
from rules.lint.reaches import check_reaching
from rules.lint.rules import check_rules
from rules.lint.secrets import check_secrets
from rules.lint.suspicions import Code, Suspicion
from rules.lint.words import check_documentation, check_examples, check_sets, check_spelling, check_use


@dataclass(frozen=True, slots=True, order=True)
class LintWarning:
    """Something that is probably not meant; `line` and `col` are 1-based, 0 where unknown."""

    file: str
    line: int
    col: int
    code: Code
    message: str

    def __str__(self) -> str:
        """Write `file:line:col: warning: message [code]`."""
        where = f":{self.line}:{self.col}" if self.line else ""
        return f"{self.file}{where}: warning: {self.message} [{self.code}]"


CHECKS: Final[Sequence[Callable[[Catalogue], Iterator[Suspicion]]]] = (
    check_rules,
    check_evidence,
    check_likeness,
    check_documentation,
    check_use,
    check_sets,
    check_reaching,
    check_examples,
    check_spelling,
    check_secrets,
    check_pilots,
)


def lint(catalogue: Catalogue) -> list[LintWarning]:
    """Find everything that is probably not meant, by file and place; no line where the catalogue came without places.

    What several definitions of a template share is told once, with the parameters of the first.
    """
    source_of = {id(source.value): source for source in catalogue.sources}
    found: dict[LintWarning, dict[str, None]] = {
        LintWarning(each.file, each.line, each.col, "load", each.message): {} for each in catalogue.warnings
    }
    for check in CHECKS:
        for finding in check(catalogue):
            source = source_of[id(finding.root)]
            warning = LintWarning(source.file, *source.place(finding.path), finding.code, finding.message)
            found.setdefault(warning, {})[source.expansion] = None
    return sorted(replace(each, message=each.message + of_template(list(shared))) for each, shared in found.items())

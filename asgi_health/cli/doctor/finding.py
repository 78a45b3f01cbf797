"""What a rule finds, and what a rule is."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ..documentation import page

Severity = Literal["error", "warning"]

F = TypeVar("F")
"""The facts that a rule looks at: those of an app, or those of a URL."""

PAGE = page("reference/doctor")
"""The page that has a section for each rule, under the id of the rule."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        what: What was found, and where.
        cure: What to change.
    """

    what: str
    cure: str


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One kind of fault.

    Attributes:
        id: The name by which the user ignores it.
        severity: "error" makes the command fail.
        why: What happens where nothing is changed.
        find: Returns the faults of this kind.
    """

    id: str
    severity: Severity
    why: str
    find: Callable[[F], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Row:
    """One finding as the command prints it."""

    rule: str
    severity: Severity
    what: str
    why: str
    cure: str

    @property
    def page(self) -> str:
        """The section of the documentation."""
        return f"{PAGE}#{self.rule}"


def rule(id: str, severity: Severity, why: str) -> Callable[[Callable[[F], Iterable[Finding]]], Rule[F]]:
    """Return a decorator that makes a rule of a function."""

    def make(find: Callable[[F], Iterable[Finding]]) -> Rule[F]:
        return Rule(id, severity, why, find)

    return make


def examine(rules: Sequence[Rule[F]], facts: F, ignored: Collection[str] = ()) -> list[Row]:
    """Return what the rules find that the user does not ignore: the errors first, in the order of the rules."""
    rows = [
        Row(each.id, each.severity, finding.what, each.why, finding.cure)
        for each in rules
        if each.id not in ignored
        for finding in each.find(facts)
    ]
    return sorted(rows, key=lambda row: row.severity)

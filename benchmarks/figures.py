"""The results of a measurement."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .stats import Spread


@dataclass(frozen=True)
class Figure:
    """One number, with its spread."""

    measure: str
    case: str
    contender: str
    unit: str
    value: Spread
    ratio: Spread | None = None
    """To what `against` names, pair by pair; None where it is compared with nothing."""
    against: str = ""
    note: str = ""


@dataclass
class Results:
    """The figures of one or more measurements."""

    figures: list[Figure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """What was not measured, and why."""

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)

    def skip(self, what: str) -> None:
        if what not in self.skipped:
            self.skipped.append(what)

    def extend(self, other: "Results") -> None:
        self.figures += other.figures
        for what in other.skipped:
            self.skip(what)

    def find(self, measure: str, case: str, contender: str) -> Figure | None:
        """Return one figure, None where it was not measured."""
        for each in self.figures:
            if (each.measure, each.case, each.contender) == (measure, case, contender):
                return each
        return None

    def of(self, measure: str) -> list[Figure]:
        return [each for each in self.figures if each.measure == measure]

    def plain(self) -> dict[str, Any]:
        """Return the results in types that JSON has."""
        return {"figures": [asdict(each) for each in self.figures], "skipped": self.skipped}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Self:
        """Return the results that `plain` was made from."""
        return cls([_figure(**each) for each in plain["figures"]], list(plain["skipped"]))


def _figure(value: dict[str, Any], ratio: dict[str, Any] | None, **more: Any) -> Figure:
    return Figure(value=Spread(**value), ratio=None if ratio is None else Spread(**ratio), **more)

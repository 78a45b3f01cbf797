"""A family of metrics as plain values, in the terms of OpenMetrics 1.0.0."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Type = Literal["counter", "gauge", "histogram", "stateset"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a family is called, and what it means.

    Attributes:
        name: Its name, with the unit, and without the suffix of a counter.
        type: Its type. A stateset has one series per state, and 1 for the present one.
        help: What a value says, in one sentence.
        labels: Names of the labels.
        unit: The unit, with which the name ends; empty for a bare number.
        states: The states of a stateset.
        bounds: Upper bounds of the buckets of a histogram, infinity last.
    """

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    states: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """The value of a histogram.

    Attributes:
        buckets: Number of observations in each bucket; not cumulative.
        sum: Sum of the observations.
    """

    buckets: tuple[int, ...]
    sum: float


Value = float | int | str | Distribution
"""A number, the present state of a stateset, or a Distribution."""

Point = tuple[tuple[str, ...], Value]
"""The values of the labels, and the value. A label with an empty value is left out: for Prometheus both are the same.
One point of a histogram or a stateset is several lines."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its points. `points` may be an iterator, so that a family of thousands is made in parts.

    Attributes:
        metric: The metric.
        points: Its points. Without any, no line is shown.
    """

    metric: Metric
    points: Iterable[Point]

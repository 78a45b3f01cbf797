"""Medians, spreads, ratios and growth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression, median, quantiles


@dataclass(frozen=True)
class Spread:
    """A median with the middle half of the values."""

    median: float
    low: float
    """The first quartile."""
    high: float
    """The third quartile."""
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles. Raises ValueError without values."""
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], 1)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(median(values), low, high, len(values))


def ratios(values: Sequence[float], limits: Sequence[float]) -> Spread:
    """Return the spread of the ratios, pair by pair: each pair was measured side by side."""
    return spread([value / limit for value, limit in zip(values, limits, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sorted `values` lies, one of `values` itself."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return k of the best fit cost = c * size ** k: 0 is constant, 1 is linear. Raises ValueError below two points."""
    points = [(log(size), log(cost)) for size, cost in zip(sizes, costs, strict=True) if size > 0 and cost > 0]
    if len(points) < 2:
        raise ValueError("a growth needs two points")
    return linear_regression(*zip(*points, strict=True)).slope

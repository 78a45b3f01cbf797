"""Medians, spreads, ratios and growth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median, quantiles


@dataclass(frozen=True)
class Spread:
    """A median with the middle half of what was measured."""

    median: float
    low: float
    """A quarter lies below."""
    high: float
    """A quarter lies above."""
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
    """Return the spread of the ratios of what was measured side by side, pair by pair."""
    return spread([value / limit for value, limit in zip(values, limits, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sorted `values` lies: one that was really seen."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return k of the best fit cost = c * size ** k: 0 does not grow, 1 is linear. Raises ValueError below 2 points."""
    points = [(log(size), log(cost)) for size, cost in zip(sizes, costs, strict=True) if size > 0 and cost > 0]
    if len(points) < 2:
        raise ValueError("a growth needs two points")
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)

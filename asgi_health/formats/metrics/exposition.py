"""Families as text: the format of Prometheus (0.0.4) and OpenMetrics (1.0.0)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import inf, isnan

from ..accept import media_ranges
from .model import Distribution, Family, Metric, Point

CHUNK = 16
"""Points rendered at a time: 16 histograms take less than 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """A format of metrics.

    Attributes:
        content_type: The value of the header.
        openmetrics: Whether it is OpenMetrics, which has state sets, units and an end.
    """

    content_type: bytes
    openmetrics: bool


PROMETHEUS = Exposition(b"text/plain; version=0.0.4; charset=utf-8", openmetrics=False)
OPENMETRICS = Exposition(b"application/openmetrics-text; version=1.0.0; charset=utf-8", openmetrics=True)


def negotiate(accept: str) -> Exposition:
    """Return the format that an Accept header prefers.

    OpenMetrics only where it is named with a version that this is, or with none, and at least with the weight of text:
    a browser and curl get the text. A header that accepts neither gets the text too, because a scrape must not fail.
    """
    openmetrics = text = 0.0
    for kind, options, weight in media_ranges(accept):
        version = options.get("version", "").strip('"')
        if kind == "application/openmetrics-text" and version in ("", "1.0.0"):
            openmetrics = max(openmetrics, weight)
        elif kind in ("text/plain", "text/*", "*/*") and version in ("", "0.0.4"):
            text = max(text, weight)
    return OPENMETRICS if openmetrics > 0 and openmetrics >= text else PROMETHEUS


def render(families: Iterable[Family], exposition: Exposition) -> Iterator[str]:
    """Yield the text of all families in parts of at most `CHUNK` points."""
    for family in families:
        lines: list[str] = []
        metric = family.metric
        render_point = _Lines(metric).of
        for number, point in enumerate(family.points):
            if number == 0:
                lines += _head(metric, exposition)
            elif number % CHUNK == 0:
                yield "".join(lines)
                lines.clear()
            render_point(point, lines)
        if lines:
            yield "".join(lines)
    if exposition.openmetrics:
        yield "# EOF\n"


def _head(metric: Metric, exposition: Exposition) -> list[str]:
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if exposition.openmetrics:
        head = [f"# TYPE {metric.name} {metric.type}\n"]
        if metric.unit:
            head.append(f"# UNIT {metric.name} {metric.unit}\n")
        return [*head, "# HELP {} {}\n".format(metric.name, text.replace('"', r"\""))]
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    kind = "gauge" if metric.type == "stateset" else metric.type
    return [f"# HELP {name} {text}\n", f"# TYPE {name} {kind}\n"]


class _Lines:
    """The lines of the points of one metric. What they share is rendered once."""

    __slots__ = ("_bounds", "_labels", "_metric", "_name", "_states")

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._labels = metric.labels
        self._name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        self._bounds = [f'le="{number_text(bound)}"}} ' for bound in metric.bounds]
        self._states = [(state, f'{metric.name}="{escape(state)}"}} ') for state in metric.states]

    def of(self, point: Point, lines: list[str]) -> None:
        """Append the lines of `point`."""
        values, value = point
        labels = ",".join([f'{name}="{escape(text)}"' for name, text in zip(self._labels, values, strict=True) if text])
        name = self._name
        if isinstance(value, Distribution):
            self._distribution(labels, value, lines)
        elif isinstance(value, str):
            start = f"{name}{{{labels}," if labels else f"{name}{{"
            for state, rest in self._states:
                lines.append(f"{start}{rest}1\n" if state == value else f"{start}{rest}0\n")
        else:
            lines.append(f"{name}{{{labels}}} {number_text(value)}\n" if labels else f"{name} {number_text(value)}\n")

    def _distribution(self, labels: str, value: Distribution, lines: list[str]) -> None:
        name = self._name
        start = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
        count = 0
        for bound, count in zip(self._bounds, accumulate(value.buckets), strict=True):
            lines.append(f"{start}{bound}{count}\n")
        labels = f"{{{labels}}}" if labels else ""
        lines.append(f"{name}_sum{labels} {number_text(value.sum)}\n{name}_count{labels} {count}\n")


def escape(text: str) -> str:
    """Return `text` as the value of a label."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return text


def number_text(value: float | int) -> str:
    """Return a number as both formats write it."""
    if isinstance(value, float):
        if isnan(value):
            return "NaN"
        if value in (inf, -inf):
            return "+Inf" if value > 0 else "-Inf"
    return repr(value)

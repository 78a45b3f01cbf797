"""Plots as SVG, drawn by matplotlib: on a transparent page, in colours that are readable on white and on black.

The same figures give the same bytes: the identifiers in the file come from a fixed salt, and it has no date.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from math import ceil, floor, log10

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

COLOURS = {
    "ours": "#2da44e",
    "ours-1": "#1a7f8e",
    "ours-2": "#6a9a1f",
    "limit": "#8b949e",
    "hand": "#bf8700",
    "hand-1": "#bc6a2b",
    "hand-2": "#a3794a",
    "peer": "#6f7ce8",
    "peer-1": "#c2569b",
    "peer-2": "#8a6fd1",
    "peer-3": "#4f8fd0",
    "peer-4": "#d0576b",
    "peer-5": "#7f9a35",
}
"""Mid tones with enough contrast to a white and to a black page: one file serves both themes of GitHub."""

TEXT = "#6e7781"

WIDTH = 7.2
"""Inches, of 72 points each."""
ROW = 0.27
"""Inches."""


@dataclass(frozen=True)
class Bar:
    """One row of a panel."""

    label: str
    value: float
    text: str
    kind: str
    """One of COLOURS."""


@dataclass(frozen=True)
class Panel:
    """Bars under a title."""

    title: str
    note: str
    bars: Sequence[Bar]
    logarithmic: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a chart: a value for each of its places, in order."""

    label: str
    points: Sequence[tuple[int, float]]
    kind: str
    """One of COLOURS."""


def bars(*panels: Panel) -> str:
    """Return a picture with one panel below the other."""
    with _style():
        heights = [len(panel.bars) + 3 for panel in panels]
        figure = Figure(figsize=(WIDTH, ROW * sum(heights)), layout="constrained")
        rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
        for panel, axes in zip(panels, rows[:, 0], strict=True):
            _draw_panel(axes, panel)
        return _svg(figure)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    _entitle(axes, panel.title, panel.note)
    rows = range(len(panel.bars))
    values = [bar.value for bar in panel.bars]
    drawn = axes.barh(rows, values, height=0.7, color=[COLOURS[bar.kind] for bar in panel.bars])
    axes.bar_label(drawn, [bar.text for bar in panel.bars], padding=4)
    axes.set_yticks(rows, [bar.label for bar in panel.bars])
    axes.invert_yaxis()
    axes.tick_params(length=0, which="both")
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, place: "")
    axes.margins(x=0.12)


def lines(title: str, note: str, chosen: Sequence[Line], places: Sequence[str], *, unit: str) -> str:
    """Return a chart with a logarithmic scale upwards; `places` are the names along the other one."""
    with _style():
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        _entitle(axes, title, note)
        for line in sorted(chosen, key=lambda line: -line.points[-1][1]):  # the legend in the order of their ends
            across, up = zip(*line.points, strict=True)
            axes.plot(across, up, color=COLOURS[line.kind], label=line.label, linewidth=2)
        axes.set_yscale("log")
        values = [value for line in chosen for _, value in line.points]
        axes.set_ylim(10.0 ** floor(log10(min(values))), 10.0 ** ceil(log10(max(values)) + 1e-9))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g} {unit}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xticks(range(len(places)), places)
        axes.tick_params(length=0, which="both")
        axes.grid(axis="y")
        figure.legend(loc="outside right lower", frameon=False)
        return _svg(figure)


def _style() -> AbstractContextManager[None]:
    return rc_context(
        {
            "svg.hashsalt": "asgi-health",
            "svg.fonttype": "none",  # text stays text: small files, in the font of the reader
            "font.size": 9.0,
            "text.color": TEXT,
            "axes.edgecolor": "none",
            "axes.facecolor": "none",
            "axes.labelcolor": TEXT,
            "figure.facecolor": "none",
            "grid.color": TEXT,
            "grid.alpha": 0.3,
            "xtick.color": TEXT,
            "ytick.color": TEXT,
        }
    )


def _entitle(axes: Axes, title: str, note: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold", fontsize=10, pad=18)
    axes.annotate(note, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=8)


def _svg(figure: Figure) -> str:
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

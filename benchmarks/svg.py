"""Plots as SVG, drawn here: readable on light and on dark pages, without a library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

COLOURS = {
    "ours": "#2da44e",
    "ours-too": "#1a7f8e",
    "limit": "#8b949e",
    "hand": "#bf8700",
    "hand-too": "#bc6a2b",
    "peer": "#6f7ce8",
    "peer-1": "#c2569b",
    "peer-2": "#8a6fd1",
    "peer-3": "#4f8fd0",
    "peer-4": "#d0576b",
    "peer-5": "#7f9a35",
}
"""Mid tones, that stand out from a white page as from a black one: a picture does not know on which it is shown."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #6e7781; }
  .title { font-weight: 600; font-size: 14px; }
  .small { font-size: 11px; }
  .grid { stroke: #8b949e; stroke-opacity: .3; }
  polyline { fill: none; stroke-width: 2; }
"""


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
    """One line of a chart; its x are positions, its y values."""

    label: str
    points: Sequence[tuple[float, float]]
    kind: str


LABELS = 245
BARS = 300
NUMBERS = 110
ROW = 22


def panels(*chosen: Panel) -> str:
    """Return a picture with one panel below the other."""
    width = LABELS + BARS + NUMBERS
    parts, top = [], 0
    for panel in chosen:
        parts += _panel(panel, top)
        top += 58 + ROW * len(panel.bars)
    return _picture(width, top, parts)


def _panel(panel: Panel, top: int) -> list[str]:
    values = [bar.value for bar in panel.bars if bar.value > 0] or [1.0]
    low = 10.0 ** floor(log10(min(values)) - 0.05) if panel.logarithmic else 0.0
    high = max(values)
    parts = [_text(8, top + 20, panel.title, "title"), _text(8, top + 37, panel.note, "small")]
    if panel.logarithmic:
        for power in range(ceil(log10(low)), floor(log10(high)) + 1):
            x = LABELS + BARS * _share(10.0**power, low, high, logarithmic=True)
            bottom = top + 46 + ROW * len(panel.bars)
            parts.append(f'<line class="grid" x1="{x:.1f}" y1="{top + 44}" x2="{x:.1f}" y2="{bottom}"/>')
    for place, bar in enumerate(panel.bars):
        y = top + 46 + ROW * place
        length = max(1.5, BARS * _share(bar.value, low, high, logarithmic=panel.logarithmic))
        parts.append(_text(LABELS - 8, y + 15, bar.label, anchor="end"))
        parts.append(
            f'<rect fill="{COLOURS[bar.kind]}" x="{LABELS}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" '
            'rx="2"/>'
        )
        parts.append(_text(LABELS + length + 6, y + 15, bar.text))
    return parts


def chart(title: str, note: str, lines: Sequence[Line], ticks: Sequence[tuple[float, str]], *, unit: str) -> str:
    """Return a chart with a logarithmic scale upwards; `ticks` name positions to the right."""
    width, height, left, right, top, bottom = 700, 330, 60, 245, 52, 34
    values = [y for line in lines for _, y in line.points if y > 0] or [1.0, 10.0]
    low, high = 10.0 ** floor(log10(min(values))), 10.0 ** ceil(log10(max(values)) + 1e-9)
    first, last = min(x for x, _ in ticks), max(x for x, _ in ticks)

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (width - left - right) * (x - first) / ((last - first) or 1)
        return across, height - bottom - (height - top - bottom) * _share(y, low, high, logarithmic=True)

    parts = [_text(8, 20, title, "title"), _text(8, 37, note, "small")]
    for power in range(round(log10(low)), round(log10(high)) + 1):
        _, y = at(first, 10.0**power)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, f"{10.0**power:g} {unit}", "small", anchor="end"))
    for x, name in ticks:
        across, _ = at(x, low)
        parts.append(_text(across, height - bottom + 18, name, "small", anchor="middle"))
    taken: list[float] = []
    for line in sorted(lines, key=lambda line: -line.points[-1][1]):
        spots = [at(x, y) for x, y in line.points if y > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline stroke="{COLOURS[line.kind]}" points="{path}"/>')
        y = spots[-1][1] + 4
        y = max(y, taken[-1] + 14) if taken else y  # labels keep off one another
        taken.append(y)
        parts.append(_text(width - right + 8, y, line.label, "small", colour=COLOURS[line.kind]))
    return _picture(width, max(height, round(max(taken, default=0)) + 14), parts)


def _share(value: float, low: float, high: float, *, logarithmic: bool) -> float:
    if not logarithmic:
        return value / high if high else 0.0
    if value <= low:
        return 0.0
    return (log10(value) - log10(low)) / ((log10(high) - log10(low)) or 1.0)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start", colour: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    if colour:
        named += f' style="fill: {colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _picture(width: int, height: int, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">\n<style>{STYLE}</style>\n{inside}\n</svg>\n'
    )

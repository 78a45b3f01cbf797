"""Small charts as SVG: the last runs of a check, and the uptime of a day."""

from collections.abc import Sequence
from math import floor, sqrt

from ...core.past import PastResult, Uptime
from ...core.status import Status
from .tones import TONES, Tone

RUNS = 40
"""Runs in the chart of a row."""

PARTS = 24
"""Parts of the chart of a day: hours."""

_HEIGHT, _STEP, _WIDTH = 24, 4, 3


def runs_chart(results: Sequence[PastResult]) -> str:
    """Return the last runs, the newest at the right. The height of a bar shows the duration, that of a failure is full.

    The square root of the duration: one slow run must not hide how the others differ.
    """
    shown = results[-RUNS:]
    longest = max((each.duration for each in shown), default=0.0)
    bars: dict[Tone, list[str]] = {"pass": [], "warn": [], "fail": []}
    for place, each in enumerate(shown, RUNS - len(shown)):
        share = sqrt(each.duration / longest) if longest > 0 else 0.0
        height = _HEIGHT if each.status is Status.UNHEALTHY else 4 + round(share * (_HEIGHT - 8))
        bars[TONES[each.status]].append(f"M{place * _STEP} {_HEIGHT - height}h{_WIDTH}v{height}h-{_WIDTH}z")
    return _svg("runs", RUNS, bars)


def day_chart(parts: Sequence[Uptime]) -> str:
    """Return the parts of a day. A part is cut from the top by the share of its time that was not up, or is not known.

    A part that was not up for a moment shows it as much as a fifth.
    """
    bars: dict[Tone, list[str]] = {"pass": [], "fail": [], "none": []}
    for place, each in enumerate(parts):
        x = place * _STEP
        if not each.known:
            bars["none"].append(f"M{x} {_HEIGHT - 2}h{_WIDTH}v2h-{_WIDTH}z")
            continue
        down = 1 - each.up / each.known
        cut = 0 if down <= 0 else min(_HEIGHT, max(5, round(down * _HEIGHT)))
        if cut < _HEIGHT:
            bars["pass"].append(f"M{x} {cut + 1 if cut else 0}h{_WIDTH}V{_HEIGHT}h-{_WIDTH}z")
        if cut:
            bars["fail"].append(f"M{x} 0h{_WIDTH}v{cut}h-{_WIDTH}z")
    return _svg("day", PARTS, bars)


def _svg(kind: str, places: int, bars: dict[Tone, list[str]]) -> str:
    paths = "".join(f'<path class="{tone}" d="{"".join(each)}"/>' for tone, each in bars.items() if each)
    size = f"0 0 {places * _STEP - 1} {_HEIGHT}"
    return f'<svg class="chart {kind}" viewBox="{size}" preserveAspectRatio="none" aria-hidden="true">{paths}</svg>'


def percent(uptime: Uptime) -> str:
    """Return the share of the time up: ``99.98 %``, and a dash where nothing is known. 100 % is never a rounded one."""
    if uptime.percent is None:
        return "–"
    shown = f"{floor(uptime.percent * 100) / 100:.2f}"
    return f"{shown.removesuffix('.00')} %"

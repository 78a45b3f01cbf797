"""How a status looks: by a word, by a colour of the style sheet, and by a shape, so that no colour is needed."""

from typing import Literal

from ...core.status import Status

Tone = Literal["pass", "warn", "fail", "none"]
"""Class of the style sheet: the words of the format, and "none" where there has been no result yet."""

TONES: dict[Status, Tone] = {Status.HEALTHY: "pass", Status.DEGRADED: "warn", Status.UNHEALTHY: "fail"}

_SHAPES: dict[Tone, str] = {
    # A disc with a tick, a triangle with a bar, an octagon with a cross, a ring of dots.
    "pass": '<circle cx="10" cy="10" r="9"/><path class="on" d="m5.8 10.3 2.9 2.9 5.5-6"/>',
    "warn": '<path d="M10 1.2 19.2 18H.8z"/><path class="on" d="M10 7.2v5M10 14.7v.6"/>',
    "fail": '<path d="M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z"/><path class="on" d="m7 7 6 6m0-6-6 6"/>',
    "none": '<circle class="ring" cx="10" cy="10" r="8"/>',
}

_COLOURS: dict[Tone, str] = {"pass": "#238551", "warn": "#c77d0a", "fail": "#cd3a34", "none": "#6b7683"}


def icon(tone: Tone) -> str:
    """Return the shape of a status. Readers of a screen get the word next to it."""
    return f'<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">{_SHAPES[tone]}</svg>'


def favicon(tone: Tone) -> str:
    """Return the shape of a status as the address of an image, which needs no request."""
    shape = _SHAPES[tone].replace('class="on"', 'fill="none" stroke="white" stroke-width="2.2"')
    shape = shape.replace(
        'class="ring"', f'fill="none" stroke="{_COLOURS[tone]}" stroke-width="3" stroke-dasharray="3"'
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" fill="{_COLOURS[tone]}">{shape}</svg>'
    return "data:image/svg+xml," + svg.replace("#", "%23").replace('"', "'").replace("<", "%3C").replace(">", "%3E")

"""The status as a small picture (SVG), for a README or a wall: a label, and a word on its colour."""

from html import escape

from ..core.status import Probe, Status
from ..core.transition import Reason
from .answer import PHASE_NOTES, WORDS, Answer, answer
from .redact import redact

SVG = b"image/svg+xml"

_COLOURS = {Status.HEALTHY: "#1a7f37", Status.DEGRADED: "#8a5a00", Status.UNHEALTHY: "#c21e2c"}
_PHASE, _LABEL = "#4a5560", "#32383f"
"""White text on each colour has a contrast of at least 5 : 1 (WCAG 2.2, 1.4.3 asks for 4.5)."""

MAX_LABEL = 60
"""Characters of a label."""

_MARGIN, _HEIGHT = 6, 20
"""Pixels: space at both sides of a text, height."""

_WIDTHS = dict.fromkeys("ijlI.,:;'|!", 3) | dict.fromkeys("frt()[]-/ ", 5) | dict.fromkeys("mwMWQ@%&", 10)
"""Pixels of the characters that are not 7 wide in Verdana at 11 pixels. Those of East Asia are 12 wide."""


def badge(label: str, status: Status, reason: Reason | None = None) -> Answer:
    """Return the picture that shows `status` and, where it is the reason, the phase of the app.

    It is always 200, because the proxies of images, GitHub's among them, show nothing for other answers: a picture is
    for people, and no monitor may ask for it.

    Args:
        label: What has this status.
        status: The status.
        reason: Why it has this status.
    """
    phase = reason if status is Status.UNHEALTHY and reason in PHASE_NOTES else None
    word, colour = (phase, _PHASE) if phase is not None else (WORDS[status], _COLOURS[status])
    shown = redact(label, MAX_LABEL)
    left, right = _width(shown), _width(word)
    text = escape(f"{shown}: {word}")
    # `textLength` fits the texts into their boxes, whichever font the reader has.
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img"'
        f' aria-label="{text}"><title>{text}</title>'
        f'<rect width="{left}" height="{_HEIGHT}" fill="{_LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"'
        ' aria-hidden="true">'
        f"{_text(shown, 0, left)}{_text(word, left, right)}</g></svg>\n"
    )
    return answer(200, SVG, picture.encode(), (b"content-security-policy", b"default-src 'none'"))


def label_of(probe: Probe, check: str | None = None, groups: tuple[str, ...] = ()) -> str:
    """Return the label of a picture about a probe, about some groups of its checks, or about one check."""
    return check or " ".join((probe.value, ", ".join(groups))).strip()


def _width(text: str) -> int:
    return sum(_WIDTHS.get(char, 7 if char < "\u2e80" else 12) for char in text) + 2 * _MARGIN


def _text(text: str, x: int, width: int) -> str:
    length = width - 2 * _MARGIN
    return f'<text x="{x + width / 2:g}" y="14" textLength="{length}">{escape(text)}</text>'

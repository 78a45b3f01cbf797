"""Reads Accept headers (RFC 9110, 12.5.1)."""

from collections.abc import Iterator

MAX_ACCEPT = 500
"""Characters of an Accept header that are read; those of browsers have less than 200."""

_JSON = ("application/json", "application/health+json")


def media_ranges(accept: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield each media range of an Accept header with its parameters and its weight: 0.0 where that is malformed."""
    for item in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in item.split(";"))
        options = {name: value for name, _, value in (each.partition("=") for each in parameters)}
        yield kind, options, _weight(options.pop("q", "1"))


def prefers_html(accept: str) -> bool:
    """Return whether the header names ``text/html`` with a weight above that of JSON, as those of browsers do.

    A client that accepts everything alike (``*/*``, as curl and most probers send it, or no header) gets JSON.
    """
    if len(accept) > MAX_ACCEPT or "text/html" not in accept.lower():
        return False
    weights: dict[str, float] = {}
    for kind, _, weight in media_ranges(accept):
        weights[kind] = max(weight, weights.get(kind, 0.0))
    # The most specific range that matches counts.
    json = max(weights.get(kind, weights.get("application/*", weights.get("*/*", 0.0))) for kind in _JSON)
    return weights.get("text/html", 0.0) > json


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0

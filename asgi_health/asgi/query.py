"""What an authorised reader may ask for behind the question mark."""

from dataclasses import dataclass
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one request. Unknown ones are ignored, as a prober that busts caches expects."""

    verbose: bool = False
    text: bool = False
    exclude: frozenset[str] = frozenset()


NONE = Options()

LONGEST = 4096
"""Bytes of a query that are looked at; a longer one asks for nothing."""


def options(query: object) -> Options:
    """Return the options in a query string. Never raises: what cannot be read asks for nothing."""
    if not isinstance(query, bytes) or not query or len(query) > LONGEST:
        return NONE
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    formats = [value for key, value in pairs if key == "format"]
    return Options(
        verbose=bool(formats) or any(key == "verbose" for key, _ in pairs),
        text="text" in formats,
        exclude=frozenset(value for key, value in pairs if key == "exclude"),
    )
